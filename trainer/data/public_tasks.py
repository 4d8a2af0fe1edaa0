"""Known public tasks whose images we may not ship: what belongs in the folder, and its source."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublicTask:
    """What to tell somebody whose folder for this task is empty.

    `missing_classes_ok`: the official training list has no image of some classes.
    """

    files: str
    source: str
    missing_classes_ok: bool = False


def _vtab(title: str, *, missing_classes_ok: bool = False) -> PublicTask:
    return PublicTask(
        "train800.txt, val200.txt, test.txt and images/{train800,val200,test}/",
        f"{title} as VTAB-1k samples it, written by the community export script "
        "(get_vtab1k.py of the NOAH code, from TensorFlow Datasets) or taken from a copy of its "
        "output",
        missing_classes_ok,
    )


def _fgvc(images: str, source: str) -> PublicTask:
    return PublicTask(
        f"train.json, test.json and, if there is one, val.json ({{image path: class id}}) with the "
        f"images in {images}; or plain folders train/<class>/ and test/<class>/",
        f"{source}; the JSON lists are those of the VPT code's FGVC splits",
    )


PUBLIC_TASKS = {
    "stanford_cars": PublicTask(
        "devkit/cars_train_annos.mat, devkit/cars_meta.mat, cars_test_annos_withlabels.mat, "
        "cars_train/*.jpg and cars_test/*.jpg",
        "the Stanford Cars archives cars_train.tgz, cars_test.tgz, car_devkit.tgz and "
        "cars_test_annos_withlabels.mat, from the dataset's page or a mirror",
    ),
    "cub200": _fgvc("images/", "CUB_200_2011.tgz, from Caltech's page of CUB-200-2011"),
    "nabirds": _fgvc("images/", "nabirds.tar.gz, from the Cornell Lab's NABirds page"),
    "oxford_flowers": _fgvc(
        "the folder itself (jpg/)", "102flowers.tgz, from the Oxford VGG page of 102 Flowers"
    ),
    "stanford_dogs": _fgvc("Images/", "images.tar, from the Stanford Dogs page"),
    "caltech101": _vtab("Caltech-101"),
    "cifar": _vtab("CIFAR-100"),
    "dtd": _vtab("the Describable Textures Dataset"),
    "oxford_flowers102": _vtab("Oxford 102 Flowers"),
    "oxford_iiit_pet": _vtab("the Oxford-IIIT Pet Dataset"),
    "svhn": _vtab("Street View House Numbers"),
    "sun397": _vtab("SUN397", missing_classes_ok=True),
    "patch_camelyon": _vtab("PatchCamelyon"),
    "eurosat": _vtab("EuroSAT"),
    "resisc45": _vtab("NWPU-RESISC45"),
    "diabetic_retinopathy": _vtab("Kaggle's Diabetic Retinopathy Detection"),
    "clevr_count": _vtab("CLEVR (number of objects)"),
    "clevr_dist": _vtab("CLEVR (distance of the closest object)"),
    "dmlab": _vtab("DMLab frames"),
    "kitti": _vtab("KITTI (distance of the closest vehicle)"),
    "dsprites_loc": _vtab("dSprites (horizontal location)"),
    "dsprites_ori": _vtab("dSprites (orientation)"),
    "smallnorb_azi": _vtab("smallNORB (azimuth)"),
    "smallnorb_ele": _vtab("smallNORB (elevation)"),
}
