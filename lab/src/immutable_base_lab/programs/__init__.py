"""Programs that the lab builds from pinned source."""
