"""A model measured on films that it was not trained on, read as in serving.

`populations` say which films, `reading` reads each once, `report` computes every figure, `pictures` draws (the only
part that needs matplotlib) and `page` writes what people read. `comparison` does the same for several models.
"""

from inference.evaluation.evaluation import Evaluation
from inference.evaluation.protocol import Protocol, protocol_of
from inference.evaluation.report import Report

__all__ = ["Evaluation", "Protocol", "Report", "protocol_of"]
