"""How doit runs the steps: the only wing that knows doit, the command line, the environment and the clock."""
