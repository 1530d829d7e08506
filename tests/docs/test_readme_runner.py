"""The runner of the README notices what a reader would stumble over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from docs.run_readme import README, Block, _as_totalsegmentator, blocks, matches, run_all, unmarked

PAGE = """# Title

<!-- run -->
```bash
echo one
```

<!-- output -->
```text
o...e
```

<!-- not run: takes an hour -->
```bash
make all
```

```python
print(1)
```
"""


def bash(text: str, mark: str = "run") -> Block:
    return Block("bash", mark, text, 1)


def test_blocks_carry_language_mark_text_and_line() -> None:
    found = list(blocks(PAGE))
    assert [(block.language, block.mark, block.line) for block in found] == [
        ("bash", "run", 4),
        ("text", "output", 9),
        ("bash", "not run: takes an hour", 14),
        ("python", "", 18),
    ]
    assert found[0].text == "echo one"
    assert [block.runs for block in found] == [True, False, False, True]


def test_every_bash_block_of_the_readme_is_marked() -> None:
    found = list(blocks(README.read_text("utf-8")))
    assert sum(block.language == "bash" for block in found) >= 5
    assert unmarked(found) == []


@pytest.mark.parametrize("mark", ["", "runs", "not run:", "not run: ", "output"])
def test_a_bash_block_without_a_proper_mark_is_named(mark: str) -> None:
    assert unmarked([Block("bash", mark, "ls", 12)]) == [
        "README.md, line 12: write `<!-- run -->` or `<!-- not run: reason -->` above this block"
    ]


@pytest.mark.parametrize(
    ("expected", "printed", "found"),
    [
        ("two", "one\ntwo\nthree", True),
        ("one...three", "one\ntwo\nthree", True),
        ("three...one", "one\ntwo\nthree", False),
        ("[a.c]", "[abc]", False),
        ("two\n", "one\ntwo", True),
    ],
)
def test_shown_output_is_compared_with_what_was_printed(expected: str, printed: str, found: bool) -> None:
    assert matches(expected, printed) is found


def test_blocks_share_one_folder_and_outputs_are_compared(tmp_path: Path) -> None:
    found = [bash("echo hello > a.txt"), bash("cat a.txt"), Block("text", "output", "hello", 5)]
    assert run_all(found, tmp_path) == []


def test_python_blocks_run(tmp_path: Path) -> None:
    text = "from pathlib import Path\nPath('made').write_text('x')"
    assert run_all([Block("python", "", text, 1)], tmp_path) == []
    assert (tmp_path / "made").is_file()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([bash("echo before; false; echo after")], "exit code 1\nbefore"),
        ([bash("false | true")], "exit code 1"),
        ([bash("echo $UNSET_NAME_OF_THIS_TEST")], "UNSET_NAME_OF_THIS_TEST"),
        ([Block("python", "", "raise SystemExit(3)", 1)], "exit code 3"),
        ([bash("echo yes"), Block("text", "output", "no", 7)], "line 7: the output shown is not"),
    ],
)
def test_a_block_that_fails_stops_the_run_and_is_shown(
    found: list[Block], expected: str, tmp_path: Path
) -> None:
    problems = run_all([*found, bash("touch later")], tmp_path)
    assert len(problems) == 1
    assert expected in problems[0]
    assert not (tmp_path / "later").exists()


def test_blocks_that_are_not_to_be_run_are_left_alone(tmp_path: Path) -> None:
    assert run_all([bash("touch made", "not run: it is slow")], tmp_path) == []
    assert not (tmp_path / "made").exists()


def test_masks_get_the_numbers_of_totalsegmentator_and_keep_their_place(tmp_path: Path) -> None:
    array = np.zeros((7, 8, 9), dtype=np.uint8)
    array[1, 2, 3], array[4, 5, 6], array[6, 7, 8] = 20, 19, 120  # VerSe: L1, T12, the disc below L1
    mask = sitk.GetImageFromArray(array)
    mask.SetSpacing((0.5, 0.75, 2.0))
    mask.SetOrigin((-10.0, 20.0, 30.0))
    sitk.WriteImage(mask, str(tmp_path / "verse.nii.gz"))
    _as_totalsegmentator(tmp_path / "verse.nii.gz", tmp_path / "total.nii.gz")
    total = sitk.ReadImage(str(tmp_path / "total.nii.gz"))
    values = sitk.GetArrayFromImage(total)
    assert (values[1, 2, 3], values[4, 5, 6], values[6, 7, 8]) == (31, 32, 0)
    assert np.count_nonzero(values) == 2
    assert total.GetSpacing() == pytest.approx((0.5, 0.75, 2.0))
    assert total.GetOrigin() == pytest.approx((-10.0, 20.0, 30.0))
