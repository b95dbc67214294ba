"""Scores that are hard to select from, and small tensors that go the way of large ones."""

import pytest
import torch

NUM = 3000

# Of normal noise, chances in [0, 1) and whole numbers from -3 to 3.
SPREADS = {
    "signed": lambda noise, chance, whole: noise,
    "magnitudes": lambda noise, chance, whole: noise.abs(),
    "products": lambda noise, chance, whole: (noise * noise.roll(1) * noise.roll(2)).abs(),
    "many ties": lambda noise, chance, whole: whole,
    "denormal": lambda noise, chance, whole: whole * 2.0**-149,
    "two zeros": lambda noise, chance, whole: (noise * (chance < 0.2)).copysign(noise),
    "dead": lambda noise, chance, whole: noise.abs() * (chance < 0.3),
    "dead and signed": lambda noise, chance, whole: noise * (chance < 0.3),
    "dead and denormal": lambda noise, chance, whole: noise.abs() * (chance < 0.3) * 1e-43,
    "all equal": lambda noise, chance, whole: torch.full_like(noise, -7.0),
    "all zero": lambda noise, chance, whole: torch.zeros_like(noise).copysign(noise),
    "close together": lambda noise, chance, whole: 1.0 + whole * 2.0**-23,
    "all exponents": lambda noise, chance, whole: noise.sign() * torch.exp2(chance * 250 - 130),
    "extremes": lambda noise, chance, whole: noise.sign() * torch.finfo(torch.float32).max,
}


@pytest.fixture(params=SPREADS.values(), ids=SPREADS)
def scores(request):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(NUM, generator=generator)
    chance = torch.rand(NUM, generator=generator)
    whole = torch.randint(-3, 4, (NUM,), generator=generator).float()
    return request.param(noise, chance, whole)


@pytest.fixture(params=[0, 16], ids=["by histograms alone", "with sorting at last"])
def few(request, monkeypatch):
    monkeypatch.setattr("mixmatch.selection.cuts.FEW", request.param)
    monkeypatch.setattr("mixmatch.selection.levels.FEW", request.param)
    monkeypatch.setattr("mixmatch.selection.keys._CHUNK", 257)
