"""Every study by the name that the command line takes."""

from collections.abc import Callable
from typing import Final

from trainer.reproduce.studies.compare import compare
from trainer.reproduce.studies.figure2 import fig2
from trainer.reproduce.studies.figure3b import fig3b
from trainer.reproduce.studies.figure3d import fig3d
from trainer.reproduce.studies.figure_s4 import fig_s4
from trainer.reproduce.studies.figures_3_4 import fig3a, fig3c, fig4, fig_s3
from trainer.reproduce.studies.table1 import table1
from trainer.reproduce.studies.tables import table2, table3, table4, table_s2, table_s3, table_s4
from trainer.reproduce.study import Asked, Study

STUDIES: Final[dict[str, Callable[[Asked], Study]]] = {
    "table1": table1,
    "table2": table2,
    "table3": table3,
    "table4": table4,
    "tableS2": table_s2,
    "tableS3": table_s3,
    "tableS4": table_s4,
    "fig2": fig2,
    "fig3a": fig3a,
    "fig3b": fig3b,
    "fig3c": fig3c,
    "fig3d": fig3d,
    "fig4": fig4,
    "figS3": fig_s3,
    "figS4": fig_s4,
    "compare": compare,
}
