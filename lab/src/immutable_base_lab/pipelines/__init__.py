"""GitLab's side: pipelines of a repository, run by gitlab-ci-local as runners would."""
