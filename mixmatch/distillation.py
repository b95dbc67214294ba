"""Distillation: a pruned network learns from the labels and from the dense network it came from.

Shape suffixes: B batch, K classes.
"""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mixmatch.errors import ConfigError
from mixmatch.execution import Autocast


class Distillation:
    """The loss (1 - weight) * CE(labels) + weight * T^2 * KL(teacher_T || student_T).

    From Hinton et al. 2015, arXiv 1503.02531; both distributions are softened by the temperature T,
    and T^2 keeps the second part's gradients as large as the first's. The teacher sees the same
    augmented images under the same autocast, in eval mode; it draws nothing from the random
    generators and is never changed. A ``BatchLoss`` of ``mixmatch.training``.

    Raises:
        ConfigError: ``weight`` is no fraction, or ``temperature`` is not above 0.
    """

    def __init__(
        self,
        teacher: nn.Module,
        *,
        weight: float,
        temperature: float,
        autocast: Autocast | None = None,
    ) -> None:
        """Keep the teacher and put it into eval mode.

        Args:
            teacher: the dense base, on the device of the batches; another object than the student.
            weight: share of the teacher's part, a fraction; 0 is plain cross-entropy.
            temperature: above 0.
            autocast: context of both forward passes; None: none.
        """
        if not 0.0 <= weight <= 1.0:
            raise ConfigError(f"distill.weight must be a fraction in [0, 1], got {weight}.")
        if not temperature > 0.0:
            raise ConfigError(f"distill.temperature must be above 0, got {temperature}.")
        self._teacher = teacher.eval()
        self._weight, self._temperature = weight, temperature
        self._autocast = autocast or nullcontext

    def __call__(self, student: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over the batch, a float32 scalar that only the student is behind."""
        # Not inference_mode: autograd saves the teacher's outputs for the student's gradient.
        with torch.no_grad(), self._autocast():
            teacher_BK = self._teacher(images)
        # A context of its own: within one, autocast would reuse casts that carry no gradient.
        with self._autocast():
            student_BK = student(images)
        return distillation_loss(
            student_BK.float(),
            teacher_BK.float(),
            labels,
            weight=self._weight,
            temperature=self._temperature,
        )


def distillation_loss(
    student_BK: Tensor, teacher_BK: Tensor, labels_B: Tensor, *, weight: float, temperature: float
) -> Tensor:
    """Return (1 - weight) * CE(labels) + weight * T^2 * KL(teacher_T || student_T), a scalar.

    Args:
        student_BK: scores before softmax, float32.
        teacher_BK: likewise; no gradient flows into it if it carries none.
        labels_B: int64.
        weight: share of the teacher's part, a fraction.
        temperature: above 0.
    """
    of_labels = F.cross_entropy(student_BK, labels_B)
    of_teacher = F.kl_div(
        F.log_softmax(student_BK / temperature, dim=1),
        F.log_softmax(teacher_BK / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - weight) * of_labels + weight * temperature**2 * of_teacher
