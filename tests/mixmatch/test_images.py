import torch

from mixmatch.images import ImageSet, Preprocessing, StreamedImages, ordered_batches

RAW = Preprocessing(mean=(0.0,), std=(1 / 255,))
MAPPED = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1)
STREAMED = StreamedImages(MAPPED, torch.tensor([7, 5, 3, 1]))


def pixels(images):
    return images.flatten().tolist()


def test_streamed_images_are_those_of_their_rows():
    assert pixels(STREAMED[1:3]) == [5, 3]
    assert pixels(STREAMED[torch.tensor([3, 0])]) == [1, 7]


def test_streamed_images_are_handed_out_on_their_device():
    assert STREAMED.to("meta")[0:2].device.type == "meta"


def test_a_pass_may_end_after_the_first_images():
    data = ImageSet(STREAMED, torch.arange(4))
    batches = list(ordered_batches(data, RAW, 2, num_images=3)())
    assert [pixels(images) for images, _ in batches] == [[7.0, 5.0], [3.0]]
    assert [labels.tolist() for _, labels in batches] == [[0, 1], [2]]
