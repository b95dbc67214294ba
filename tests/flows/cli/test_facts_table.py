import io

from rich.console import Console

from flows.cli.facts_table import print_base, print_data


def written(print_facts, summary):
    console = Console(file=io.StringIO(), width=60, highlight=False, markup=False)
    print_facts(console, summary)
    return console.file.getvalue().splitlines()


def test_describes_the_data(data_summary):
    assert written(print_data, data_summary) == [
        "Data           digits (embedded), 32 x 32 x 3",
        "Images         1,220 train, 64 calibration, 143 validation, 370 test",
        "Classes        11: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...",
        "Normalization  mean 0.3061, 0.3, 0.3; standard deviation 0.376, 0.3, 0.3",
        "Augmentation   crop",
    ]


def test_a_hundred_classes_are_cut_short_after_ten(data_summary):
    names = tuple(f"class {number}" for number in range(100))
    many = data_summary.model_copy(update={"classes": names})
    shown = ", ".join(names[:10])
    assert written(print_data, many)[2] == f"Classes        100: {shown}, ..."


def test_three_means_and_deviations_are_shown_with_the_augmentation(data_summary):
    photographs = data_summary.model_copy(
        update={
            "mean": (0.4914, 0.4822, 0.4465),
            "std": (0.247, 0.2435, 0.2616),
            "augmentation": "crop_flip",
        }
    )
    assert written(print_data, photographs)[3:] == [
        "Normalization  mean 0.4914, 0.4822, 0.4465; standard deviation 0.247, 0.2435, 0.2616",
        "Augmentation   crop_flip",
    ]


def test_describes_the_base(base_summary):
    assert written(print_base, base_summary) == [
        "Base           resnet18 (trained), 11,173,962 parameters, 11,164,352 of them prunable, "
        "44.70 MB",
        "Accuracy       validation 98.00 %, test 97.00 % (95 %: 95.00 to 98.00)",
    ]
