"""What every room of the lab uses: where things lie, what is kept, which ports are taken."""
