"""An instance: a repository downstream, with a Containerfile on a base image of ours."""
