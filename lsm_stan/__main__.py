"""``python -m lsm_stan`` is the command line ``lsm-stan``."""

from lsm_stan.cli import main

if __name__ == "__main__":
    main()
