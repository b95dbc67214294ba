"""The rows of a study's tables; every sparsity and accuracy is a fraction.

Their fields are the columns of the CSV files: they may be added to, never renamed.
"""

from typing import Literal

from mixmatch.records import Record
from tasks.study.row import Kind


class SummaryRow(Record):
    """One configuration over its seeds.

    Attributes:
        label: name, criterion or asked sparsity, without a seed.
        kind: ``base``, ``dense``, ``family`` or ``rival``.
        name: strategy or rival.
        also: further strategies with the same configuration.
        criterion: of a family member.
        asked_sparsity: of a rival.
        num_results: how many seeds finished.
        seeds: which; empty for the base.
        sparsity: counted, the mean.
        bytes: on disk, the mean.
        validation_mean: accuracy on the validation images.
        validation_deviation: sample standard deviation over seeds; None for one.
        validation_values: of each seed.
        test_mean: accuracy on the test images.
        test_deviation: sample standard deviation over seeds; None for one.
        test_low: lower end of the 95 % Wilson interval at ``test_mean`` with the images of one
            seed: all seeds answer the same images.
        test_high: upper end of it.
        test_values: of each seed.
        drop_from_base: the base's test accuracy minus ``test_mean``.
        drop_from_dense: the dense control's test accuracy minus ``test_mean``.
        drop: against the better of the two on validation, of equals the base; None: there is
            none, or the control that the study asks for is missing.
        reference: which of the two that is; None: there is no drop, or not the same one for all
            seeds.
        on_front: family only: whether none is as sparse and as accurate on validation.
        front_share: family only: share of bootstrap resamples of the validation images in which
            it is on the front.
        seconds: wall time of all seeds, of the members of a chain that they started from included.
        cpu_seconds: processor time of all seeds, of their own jobs; None: not measured.
        num_bases: distinct base networks behind the results.
        on_size_front: family only: whether none is as small on disk and as accurate on validation.
        int8_validation_mean: with weights rounded to int8; None until every seed has its file.
        int8_test_mean: likewise on the test images.
        int8_bytes: of the int8 files on disk, the mean; None likewise.
        drop_low: lower end of the 95 % bootstrap interval of ``drop``, over test images drawn
            anew for both; None without a drop, or where it has several bases.
        drop_high: upper end of it.
        epochs: of fine-tuning, of all seeds, those of the members that it started from included,
            and those of later rounds within a budget that made it worse.
    """

    label: str
    kind: Kind
    name: str
    also: tuple[str, ...]
    criterion: str | None
    asked_sparsity: float | None
    num_results: int
    seeds: tuple[int, ...]
    sparsity: float
    bytes: float
    validation_mean: float
    validation_deviation: float | None
    validation_values: tuple[float, ...]
    test_mean: float
    test_deviation: float | None
    test_low: float
    test_high: float
    test_values: tuple[float, ...]
    drop_from_base: float | None
    drop_from_dense: float | None
    drop: float | None
    reference: Literal["base", "dense"] | None
    on_front: bool | None
    front_share: float | None
    seconds: float
    cpu_seconds: float | None
    num_bases: int
    on_size_front: bool | None = None
    int8_validation_mean: float | None = None
    int8_test_mean: float | None = None
    int8_bytes: float | None = None
    drop_low: float | None = None
    drop_high: float | None = None
    epochs: int = 0


class ComparisonRow(Record):
    """A family configuration and a rival at its sparsity, on the same test images and seeds.

    Attributes:
        label: of the family's configuration.
        rival_label: of the rival's.
        strategy: of the family.
        criterion: of the family.
        sparsity: of the family's configuration, counted.
        rival: key in RIVALS.
        asked_sparsity: of the rival.
        rival_sparsity: of the rival, counted.
        seeds: those that both have finished.
        test: mean test accuracy of the family's configuration over these seeds.
        rival_test: of the rival.
        difference: the former minus the latter.
        low: lower end of its 95 % bootstrap interval.
        high: upper end of it.
        probability: share of resamples of the test images in which the family's is more accurate;
            ties count half.
        num_bases: distinct base networks behind the compared results; only one bears a claim.
    """

    label: str
    rival_label: str
    strategy: str
    criterion: str
    sparsity: float
    rival: str
    asked_sparsity: float
    rival_sparsity: float
    seeds: tuple[int, ...]
    test: float
    rival_test: float
    difference: float
    low: float
    high: float
    probability: float
    num_bases: int


class FrontRow(Record):
    """The front of the family, of one criterion of it, or of one rival, as one number.

    Attributes:
        kind: ``family`` or ``rival``.
        name: ``family``, ``family/CRITERION`` or the rival's key.
        num_points: configurations it is chosen from.
        num_on_front: those on the front of validation accuracy and sparsity.
        hypervolume_validation: area between the front and the reference point.
        area_test: that under what validation chooses at each sparsity, at its test accuracy;
            nothing is chosen by it, so it is no hypervolume.
        reference_sparsity: of the reference point: 0.
        reference_validation: of the reference point: the base's accuracy minus ten points.
        reference_test: likewise on the test images.
        area_low: lower end of the 95 % bootstrap interval of ``area_test``: the validation images
            are drawn anew, and the front chosen on them; the test images are drawn anew, for the
            reference point too.
        area_high: upper end of it.
    """

    kind: Literal["family", "rival"]
    name: str
    num_points: int
    num_on_front: int
    hypervolume_validation: float
    area_test: float
    reference_sparsity: float
    reference_validation: float
    reference_test: float
    area_low: float
    area_high: float


class StudyTables(Record):
    """All tables of a study but the results themselves.

    Attributes:
        summary: base, dense control, family, rivals; by sparsity.
        comparisons: family configurations in that order, then rivals.
        fronts: the family, its criteria if there are several, the rivals; empty without a base.
        best: at each asked sparsity of the rivals that the family has too, the family's and the
            rivals' most accurate on validation, compared on test.
    """

    summary: tuple[SummaryRow, ...]
    comparisons: tuple[ComparisonRow, ...]
    fronts: tuple[FrontRow, ...]
    best: tuple[ComparisonRow, ...] = ()
