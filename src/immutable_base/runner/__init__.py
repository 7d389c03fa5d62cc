"""doctor --ci: what a GitLab runner and its job give a run, in well under a minute."""
