"""`python -m radiomics_vert` is the command line."""

from radiomics_vert.cli import main

if __name__ == "__main__":
    main()
