"""`python -m unbend`, the same as `unbend`."""

import sys

from unbend.cli.run import main

sys.exit(main())
