"""Known public tasks by name: the fine-grained, those of VTAB-1k and the large ones."""

from trainer.data.fgvc_tasks import FGVC_TASKS
from trainer.data.large_tasks import LARGE_TASKS
from trainer.data.public_task import PublicTask
from trainer.data.vtab_tasks import VTAB_TASKS

PUBLIC_TASKS: dict[str, PublicTask] = {**FGVC_TASKS, **VTAB_TASKS, **LARGE_TASKS}
