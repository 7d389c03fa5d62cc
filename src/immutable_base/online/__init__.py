"""What the first night would meet: all that is remote is asked, and nothing is built."""
