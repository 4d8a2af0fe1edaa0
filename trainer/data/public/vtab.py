"""The nineteen tasks of VTAB-1k in the paper's Table S1, by the names of the community's folders.

Training uses `train800.txt`, selection `val200.txt`; the test lists are whole. Table S1 says
"800 / 1000": the last training is on both, see `data.train_on`.
"""

from trainer.data.public.task import Group, PublicTask

_FILES = "train800.txt, val200.txt, test.txt and images/{train800,val200,test}/"
_SOURCE = (
    "{} as VTAB-1k samples it, written by the community export script (get_vtab1k.py of the NOAH "
    "code, https://github.com/ZhangYuanhan-AI/NOAH, from TensorFlow Datasets) or taken from a copy "
    "of its output"
)


def _vtab(
    group: Group,
    title: str,
    num_classes: int,
    num_test: int,
    *,
    terms: str = "",
    missing_classes_ok: bool = False,
) -> PublicTask:
    return PublicTask(
        title=title,
        group=group,
        num_classes=num_classes,
        sizes=(800, 200, num_test),
        files=_FILES,
        source=_SOURCE.format(title),
        terms=terms,
        missing_classes_ok=missing_classes_ok,
    )


_NATURAL = {
    "caltech101": _vtab("vtab-natural", "Caltech-101", 102, 6_084),
    "cifar": _vtab("vtab-natural", "CIFAR-100", 100, 10_000),
    "dtd": _vtab("vtab-natural", "Describable Textures", 47, 1_880),
    "oxford_flowers102": _vtab("vtab-natural", "Oxford 102 Flowers", 102, 6_149),
    "oxford_iiit_pet": _vtab("vtab-natural", "Oxford-IIIT Pet", 37, 3_669),
    "svhn": _vtab("vtab-natural", "Street View House Numbers", 10, 26_032),
    "sun397": _vtab("vtab-natural", "SUN397", 397, 21_750, missing_classes_ok=True),
}
_SPECIALIZED = {
    "patch_camelyon": _vtab("vtab-specialized", "PatchCamelyon", 2, 32_768),
    "eurosat": _vtab("vtab-specialized", "EuroSAT", 10, 5_400),
    "resisc45": _vtab(
        "vtab-specialized",
        "NWPU-RESISC45",
        45,
        6_300,
        terms="the export needs its archive, downloaded by hand",
    ),
    "diabetic_retinopathy": _vtab(
        "vtab-specialized",
        "Diabetic Retinopathy (Kaggle)",
        5,
        42_670,
        terms="the export needs Kaggle's files, downloaded by hand under the competition's rules",
    ),
}
_STRUCTURED = {
    "clevr_count": _vtab("vtab-structured", "CLEVR, number of objects", 8, 15_000),
    "clevr_dist": _vtab("vtab-structured", "CLEVR, distance of the closest object", 6, 15_000),
    "dmlab": _vtab("vtab-structured", "DMLab frames", 6, 22_735),
    "kitti": _vtab("vtab-structured", "KITTI, distance of the closest vehicle", 4, 711),
    "dsprites_loc": _vtab("vtab-structured", "dSprites, horizontal location", 16, 73_728),
    "dsprites_ori": _vtab("vtab-structured", "dSprites, orientation", 16, 73_728),
    "smallnorb_azi": _vtab("vtab-structured", "smallNORB, azimuth", 18, 12_150),
    "smallnorb_ele": _vtab("vtab-structured", "smallNORB, elevation", 9, 12_150),
}
VTAB_TASKS = {**_NATURAL, **_SPECIALIZED, **_STRUCTURED}
