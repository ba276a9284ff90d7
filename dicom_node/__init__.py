"""The node: receives studies, has them read and delivers the results."""

import inference  # noqa: F401 - sets the threads of numpy before anything here imports it
