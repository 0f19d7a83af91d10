"""The compiled passes of `unbend.exact`; all else about the package is in pyproject.toml.

They are optional: where they cannot be compiled the package is installed without them, and NumPy does their work.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "unbend.exact._passes",
            sources=["src/unbend/exact/_passes.c"],
            depends=["src/unbend/exact/_odds.h", "src/unbend/exact/_kernel.h"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            # What a rounding left is part of the result, so no product and sum may be rounded as one unless told to.
            extra_compile_args=["-O3", "-g0", "-ffp-contract=off"],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
