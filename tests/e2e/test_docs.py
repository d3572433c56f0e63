"""The pages name what exists: files of the tour, commands of the README, options of the program."""
import re
import subprocess

import pytest
from tandem import BUILD, TOP

PAGES = ["README.md", "README.zh.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/tour.md", "docs/threads.md",
         "docs/rules.md", "docs/glossary.md", "docs/differences.md", "docs/performance.md", "docs/reference.md",
         "docs/http.md", "docs/tests.md", "docs/tracing.md", "docs/stir-shaken.md",
         "docs/lua.md", "docs/trunks.md", "docs/modules.md", "examples/module/README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_files_and_links_exist(page):
    text = (TOP / page).read_text()
    missing = [p for p in re.findall(r"`((?:src|tools|tests|bench|conf|docs|include|examples)/[\w./-]+)`", text)
               if not (TOP / p).exists()]
    here = (TOP / page).parent
    missing += [l for l in re.findall(r"\]\(([\w./-]+)\)", text) if not (here / l).exists()]
    assert not missing, missing


def test_dev_knows_the_commands_of_the_readme():
    known = subprocess.run([TOP / "dev", "help"], capture_output=True, text=True).stdout
    for command in set(re.findall(r"`?\./dev (\w+)", (TOP / "README.md").read_text())):
        assert f"./dev {command}" in known, command


def test_first_lines_are_the_two_commands():
    for page in ("README.md", "README.zh.md"):
        head = (TOP / page).read_text().split("```")[1].strip().split("\n")
        assert [line.split("#")[0].strip() for line in head] == ["./dev run", "./dev test"]


def test_ports_and_numbers_of_the_readme_are_in_conf():
    plan = (TOP / "conf/dialplan/default.xml").read_text()
    for number in re.findall(r"^\| (?:\d{4}, )?(\d{4}) \|", (TOP / "README.md").read_text(), re.M):
        assert number in plan, number


def test_manual_page_names_every_option():
    """Each option that -help shows stands in the manual page."""
    page = (TOP / "docs/man/tandem.8").read_text()
    shown = subprocess.run([BUILD / "tandem", "-help"], capture_output=True, text=True).stdout
    for option in re.findall(r"^  -([\w-]+)", shown, re.M):
        assert re.search(rf"Fl {re.escape(option)}\b", page) or option == "reincarnate", option


def test_reference_is_what_the_program_says(tmp_path):
    """docs/reference.md is made: build/tandem -reference > docs/reference.md"""
    made = subprocess.run([BUILD / "tandem", "-reference", "-base", tmp_path], capture_output=True, text=True, check=True).stdout
    assert made == (TOP / "docs/reference.md").read_text(), "make it anew: build/tandem -reference > docs/reference.md"


def test_the_application_of_the_tour_compiles(tmp_path):
    """The file, the prototype and the row, put where the tour says."""
    text = (TOP / "docs/tour.md").read_text()
    code, prototype, row = re.findall(r"```c\n(.*?)```", text[text.index("## Adding an application"):], re.S)
    apps = tmp_path / "apps"
    apps.mkdir()
    (apps / "app_hello.c").write_text(code)
    (apps / "apps_i.h").write_text((TOP / "src/apps/apps_i.h").read_text() + prototype)
    module = (TOP / "src/apps/module.c").read_text()
    (apps / "module.c").write_text(module.replace('    {"echo",', row + '    {"echo",', 1))
    assert row in (apps / "module.c").read_text()
    flags = ["-fsyntax-only", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Werror", f"-I{tmp_path}", f"-I{TOP / 'src'}", f"-I{TOP / 'include'}"]
    for source in "app_hello.c", "module.c":
        subprocess.run(["gcc", *flags, apps / source], check=True)
    assert "'app_call.c'," in (TOP / "src/apps/meson.build").read_text()  # a list of names, to which one is added
