# SPDX-License-Identifier: Apache-2.0
"""check_links.py: every link of the pages leads to a file, and to a heading of it where it names one; so do
`page.md, section 3` and pages that are named without a link; every page of docs/ is reached from its index."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"(?<![\w/(.])((?:docs|workloads|adapters)/[\w/-]+\.md)")
SECTION = re.compile(r"([\w/-]+\.md)[)\]]*,\s+section (\d+)")


def text_of(page: Path) -> str:
    """Without fenced code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    found: set[str] = set()
    for title in re.findall(r"^#+ +(.+)$", text_of(page), re.M):
        name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        number = 0
        while (name if not number else f"{name}-{number}") in found:
            number += 1
        found.add(name if not number else f"{name}-{number}")
    return found


def wrong_links(page: Path) -> list[str]:
    text, wrong = text_of(page), []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            wrong.append(f"({target}): there is no such file")
        elif anchor and anchor not in anchors(file):
            wrong.append(f"({target}): no heading makes this anchor")
    wrong += [f"{name}: there is no such page" for name in NAMED.findall(text) if not (ROOT / name).exists()]
    for name, number in SECTION.findall(text):
        files = [file for file in (ROOT / name, page.parent / name) if file.exists()]
        if files and not re.search(rf"^## {number}\. ", text_of(files[0]), re.M):
            wrong.append(f"{name} has no section {number}")
    return wrong


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True)
    pages = [ROOT / name for name in listed.stdout.split()]
    wrong = [f"{page.relative_to(ROOT)}: {text}" for page in pages for text in wrong_links(page)]
    index = LINK.findall(text_of(ROOT / "docs/index.md"))
    wrong += [f"docs/index.md: no link to {page.name}" for page in pages
              if page.parent.name == "docs" and page.name not in [*index, "index.md"]]
    print("\n".join(wrong) or f"{len(pages)} pages, every link leads somewhere")
    return 1 if wrong or not pages else 0


sys.exit(main())
