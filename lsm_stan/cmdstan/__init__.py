"""What runs a model: CmdStan, found or installed, and the programs it compiles."""
