"""From a plan to images in local storage."""
