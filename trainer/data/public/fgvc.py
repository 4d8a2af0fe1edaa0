"""The five fine-grained tasks (FGVC) of the paper's Table S1.

`oxford_flowers` is all of Oxford 102 Flowers; the VTAB-1k sample of it is `oxford_flowers102`.
"""

from trainer.data.public.task import Archive, PublicTask

_OR_LISTS = (
    "; or the train.json, test.json and, if there is one, val.json ({image path: class id}) of the "
    "VPT code's FGVC splits next to the images; or plain folders train/<class>/ and test/<class>/"
)
_DOGS = "http://vision.stanford.edu/aditya86/ImageNetDogs"
_FLOWERS = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102"

FGVC_TASKS = {
    "cub200": PublicTask(
        title="CUB-200-2011",
        group="fgvc",
        num_classes=200,
        sizes=(5_394, 600, 5_794),
        files="images.txt, image_class_labels.txt, train_test_split.txt, classes.txt and "
        f"images/<class>/*.jpg{_OR_LISTS}",
        source="CUB_200_2011.tgz, from Caltech's page of CUB-200-2011 "
        "(https://data.caltech.edu/records/65de6-vp158)",
        terms="non-commercial research and education",
        archives=(
            Archive(
                "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
                1_151,
                "97eceeb196236b17998738112f37df78",
            ),
        ),
        unpacked="CUB_200_2011",
    ),
    "nabirds": PublicTask(
        title="NABirds",
        group="fgvc",
        num_classes=555,
        sizes=(21_536, 2_393, 24_633),
        files="images.txt, image_class_labels.txt, train_test_split.txt, classes.txt, "
        f"hierarchy.txt and images/<class id>/*.jpg{_OR_LISTS}",
        source="nabirds.tar.gz, from the Cornell Lab's NABirds page "
        "(https://dl.allaboutbirds.org/nabirds), after its form",
        terms="the terms of use on its page, accepted in a form",
        unpacked="nabirds",
    ),
    "oxford_flowers": PublicTask(
        title="Oxford 102 Flowers, whole",
        group="fgvc",
        num_classes=102,
        sizes=(1_020, 1_020, 6_149),
        files=f"setid.mat, imagelabels.mat and jpg/image_00001.jpg …{_OR_LISTS}",
        source="102flowers.tgz, imagelabels.mat and setid.mat, from the Oxford VGG page of 102 "
        f"Flowers ({_FLOWERS}/); the sample of VTAB-1k is another task, oxford_flowers102",
        archives=(
            Archive(f"{_FLOWERS}/102flowers.tgz", 345, "52808999861908f626f3c1f4e79d11fa"),
            Archive(f"{_FLOWERS}/imagelabels.mat", 1, "e0620be6f572b9609742df49c70aed4d"),
            Archive(f"{_FLOWERS}/setid.mat", 1, "a5357ecc9cb78c4bef273ce3793fc85c"),
        ),
    ),
    "stanford_dogs": PublicTask(
        title="Stanford Dogs",
        group="fgvc",
        num_classes=120,
        sizes=(10_800, 1_200, 8_580),
        files=f"train_list.mat, test_list.mat and Images/<class>/*.jpg{_OR_LISTS}",
        source="images.tar and lists.tar, from the Stanford Dogs page "
        f"({_DOGS}/); its images are ImageNet's",
        archives=(Archive(f"{_DOGS}/images.tar", 794), Archive(f"{_DOGS}/lists.tar", 1)),
    ),
    "stanford_cars": PublicTask(
        title="Stanford Cars",
        group="fgvc",
        num_classes=196,
        sizes=(7_329, 815, 8_041),
        files="devkit/cars_train_annos.mat, devkit/cars_meta.mat, cars_test_annos_withlabels.mat, "
        f"cars_train/*.jpg and cars_test/*.jpg{_OR_LISTS}",
        source="the Stanford Cars archives cars_train.tgz, cars_test.tgz, car_devkit.tgz and "
        "cars_test_annos_withlabels.mat, from a mirror: the dataset's own page "
        "(https://ai.stanford.edu/~jkrause/cars/car_dataset.html) no longer serves them",
        terms="non-commercial research",
    ),
}
