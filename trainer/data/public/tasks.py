"""Known public tasks by name: the fine-grained, those of VTAB-1k and the large ones."""

from trainer.data.public.fgvc import FGVC_TASKS
from trainer.data.public.large import LARGE_TASKS
from trainer.data.public.task import PublicTask
from trainer.data.public.vtab import VTAB_TASKS

PUBLIC_TASKS: dict[str, PublicTask] = {**FGVC_TASKS, **VTAB_TASKS, **LARGE_TASKS}
