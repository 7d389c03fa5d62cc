"""One module per external program: typed in, typed out, no policy."""
