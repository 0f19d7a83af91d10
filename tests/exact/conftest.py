"""Every implementation of the passes that runs here."""

from collections.abc import Iterator

import pytest

from unbend.exact import compiled

KERNELS = [] if compiled.passes is None else compiled.passes.KERNELS


@pytest.fixture(params=["numpy", *KERNELS], scope="module")
def implementation(request: pytest.FixtureRequest) -> Iterator[str]:
    passes = compiled.passes
    if request.param == "numpy":
        compiled.passes = None
        yield "numpy"
        compiled.passes = passes
    else:
        before = passes.use(request.param)
        yield request.param
        passes.use(before)
