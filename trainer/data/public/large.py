"""ImageNet-1k and iNaturalist-2018, of which the paper trains on shares (Fig. 4).

Their official validation list is our test split, for the final number only; a tenth of the
training list validates.
"""

from trainer.data.public.task import Archive, PublicTask

_INAT = "https://ml-inat-competition-datasets.s3.amazonaws.com/2018"

LARGE_TASKS = {
    "imagenet1k": PublicTask(
        title="ImageNet-1k (ILSVRC 2012)",
        group="large",
        num_classes=1_000,
        sizes=(1_153_050, 128_117, 50_000),
        files="train/<wnid>/*.JPEG and val/<wnid>/*.JPEG, or val/*.JPEG with LOC_val_solution.csv "
        "or ILSVRC2012_devkit_t12/ next to it; LOC_synset_mapping.txt, where there is one, names "
        "the classes",
        source="ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz "
        "from https://image-net.org/download.php, or Kaggle's imagenet-object-localization-"
        "challenge, either with an account",
        terms="non-commercial research and education, accepted with an account",
    ),
    "inaturalist2018": PublicTask(
        title="iNaturalist 2018",
        group="large",
        num_classes=8_142,
        sizes=(393_761, 43_752, 24_426),
        files="train2018.json, val2018.json, train_val2018/<group>/<class>/*.jpg and, for the "
        "names, categories.json",
        source="train_val2018.tar.gz (120 GB), train2018.json.tar.gz, val2018.json.tar.gz and "
        "categories.json.tar.gz, from https://github.com/visipedia/inat_comp/tree/master/2018",
        terms="non-commercial research and education",
        archives=(
            Archive(f"{_INAT}/train2018.json.tar.gz", 26, "bfa29d89d629cbf04d826a720c0a68b0"),
            Archive(f"{_INAT}/val2018.json.tar.gz", 26, "f2ed8bfe3e9901cdefceb4e53cd3775d"),
            Archive(f"{_INAT}/categories.json.tar.gz", 1),
            Archive(f"{_INAT}/train_val2018.tar.gz", 120_000, "b1c6952ce38f31868cc50ea72d066cc3"),
        ),
    ),
}
