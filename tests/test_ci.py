"""The scripts in ``.ci/``: which steps run and what is shown of them, and the versions that they install."""

from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
import tomllib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from shutil import copy2
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import ROOT
from tests.support.leftovers import processes_of
from tests.support.processes import STOP_SIGNALS, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.fixture
def ci(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The names of the script, with a folder of its own in place of the project's."""
    names = runpy.run_path(str(ROOT / ".ci" / "lanes"), run_name="ci")
    names["main"].__globals__.update(ROOT=tmp_path, PACKAGES={})
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield names
    for number, handler in handlers.items():
        signal.signal(number, handler)


def run(ci: dict[str, Any], makefile: str, *lanes: tuple[Any, ...]) -> int:
    """Run these lanes with this Makefile, and return the exit status."""
    ci["main"].__globals__["LANES"] = lanes
    (ci["main"].__globals__["ROOT"] / "Makefile").write_text(makefile)
    status: int = ci["main"]()
    return status


def this_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def test_all_steps_run_even_if_one_fails_and_the_summary_says_which(
    ci: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    step = ci["Step"]
    recipes = "bad:\n\t@echo 1 failed; exit 1\ngood:\n\t@echo $(AIRFLOW) $(CI) passed\nother:\n\t@echo 2 passed\n"
    python = (this_python(),)

    status = run(
        ci,
        recipes,
        (step("first", "bad", python=python), step("second", "good", airflow="3.1", python=python)),
        (step("third", "other", python=python),),
    )

    lines = [
        line.split(maxsplit=3) for line in capsys.readouterr().out.rpartition("=== summary\n")[2].splitlines()
    ]
    assert status == 1
    assert [(name, result, last) for name, result, _, last in lines] == [
        ("first", "FAILED", "1 failed"), ("second", "ok", "3.1 true passed"), ("third", "ok", "2 passed"),
    ]  # fmt: skip


def test_if_all_steps_pass_the_exit_status_is_0(ci: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ci, "good:\n\t@echo ok\n", (ci["Step"]("only", "good", python=(this_python(),)),)) == 0


def test_a_python_that_is_not_installed_fails_its_step_unless_another_will_do(
    ci: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    step = ci["Step"]
    show = "good:\n\t@$(PYTHON) -c 'import sys; print(*sys.version_info[:2], sep=\".\")'\n"

    status = run(
        ci,
        show,
        (step("missing", "good", python=("3.99",)), step("other", "good", python=("3.99", this_python()))),
    )

    missing, other = capsys.readouterr().out.splitlines()[-2:]
    assert status == 1
    assert "FAILED" in missing
    assert "3.99" in missing
    assert other.endswith(this_python())


@pytest.mark.parametrize("shell", [[], ["sh"], ["bash"]])
def test_the_lanes_run_however_the_script_is_called(shell: list[str], tmp_path: Path) -> None:
    lanes = tmp_path / "a folder" / ".ci" / "lanes"
    lanes.parent.mkdir(parents=True)
    lanes.write_text("import os\nprint('lanes', os.getpid())\nraise SystemExit(7)\n")
    copy2(ROOT / ".ci" / "run", lanes.with_name("run"))

    with subprocess.Popen([*shell, lanes.with_name("run")], stdout=subprocess.PIPE, text=True) as process:
        output, _ = process.communicate(timeout=30)

    assert output == f"lanes {process.pid}\n"  # the same process, so that signals reach it
    assert process.returncode == 7


RUN_ONE_STEP = """
import pathlib, runpy, sys
names = runpy.run_path(sys.argv[1], run_name="ci")
step = names["Step"]("only", "slow", python=(sys.argv[2],))
names["main"].__globals__.update(ROOT=pathlib.Path.cwd(), PACKAGES={}, LANES=((step, step),), STOP_S=1)
names["main"]()
"""


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM;"])
def test_a_signal_stops_what_is_running(stubborn: str, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(f"slow:\n\t@{stubborn} echo begun >> begun; sleep 600\n")
    command = [sys.executable, "-c", RUN_ONE_STEP, str(ROOT / ".ci" / "lanes"), this_python()]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for("the step to begin", (tmp_path / "begun").exists, 60)
        finally:
            process.terminate()

        assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert (tmp_path / "begun").read_text() == "begun\n"
    wait_for("its processes to be gone", lambda: not processes_of(tmp_path), 10)


def test_the_steps_test_the_versions_that_the_package_names(ci: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r":: Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    steps = [step for lane in ci["LANES"] for step in lane]

    assert {version for step in steps for version in step.python} == set(named)
    assert project["requires-python"] == f">={named[0]}"
    assert f"Python {', '.join(named[:-1])} and {named[-1]}" in readme
    assert {step.target for step in steps} <= set(re.findall(r"^\.PHONY: (\S+)", MAKEFILE, re.MULTILINE))
    assert {step.airflow for step in steps} == set(re.search(r"^LINES := (.*)", MAKEFILE, re.MULTILINE)[1].split())  # type: ignore[index]


@pytest.fixture
def lowest() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / ".ci" / "lowest"), run_name="ci")


def test_every_dependency_has_a_lower_bound_that_ci_installs(lowest: dict[str, Any]) -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]

    assert [each.partition("==")[0] for each in lowest["lower_bounds"]()] == [
        each.partition(">=")[0] for each in dependencies
    ]


@pytest.mark.parametrize("dependency", ["certifi", "certifi>1", "certifi>=1,<2", "certifi==1"])
def test_a_dependency_without_a_lower_bound_is_an_error(
    dependency: str, lowest: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[project]\ndependencies = ["requests>=2", "{dependency}"]\n')
    lowest["lower_bounds"].__globals__["ROOT"] = tmp_path

    with pytest.raises(SystemExit, match=re.escape(dependency)):
        lowest["lower_bounds"]()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL that it is served at."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


# Instead of uv: it notes its arguments, and the Python of its environments fails.
UV = r"""#!/bin/sh
echo "$@" >> calls.txt
[ "$1" = venv ] || exit 0
mkdir -p new/bin
printf '#!/bin/sh\necho "$@"; exit 3' > new/bin/python
chmod +x new/bin/python
"""


def official(folder: Path, url: str) -> tuple[int, str]:
    """Run ``.ci/official`` for the release 3.3.9; return its exit status and what it printed."""
    (folder / "uv").write_text(UV)
    (folder / "uv").chmod(0o755)
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "official", "3.3.9", folder / "uv", folder / "new", "-k", "some"],
        cwd=folder, env={**os.environ, "CONSTRAINTS_URL": url, "no_proxy": "*"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_official_constraints_that_cannot_be_downloaded_are_reported_in_one_line(tmp_path: Path) -> None:
    status, printed = official(tmp_path, "http://127.0.0.1:9")

    assert status == 0
    assert printed.count("\n") == 1
    assert "Airflow 3.3.9: not tested" in printed
    assert not (tmp_path / "calls.txt").exists()


def test_a_release_without_official_constraints_fails(served: tuple[Path, str], tmp_path: Path) -> None:
    status, printed = official(tmp_path, served[1])

    assert status == 1
    assert "3.3.9" in printed
    assert "Makefile" in printed


def test_airflow_is_installed_with_official_constraints_and_the_provider_without(
    served: tuple[Path, str], tmp_path: Path
) -> None:
    folder = served[0] / "constraints-3.3.9"
    folder.mkdir()
    (folder / f"constraints-{this_python()}.txt").write_text("idna==3.7\n")

    status, printed = official(tmp_path, served[1])

    _, airflow, provider = (tmp_path / "calls.txt").read_text().splitlines()
    assert status == 3  # that of pytest
    assert printed.endswith("-m pytest -k some\n")
    assert "apache-airflow[" in airflow
    assert airflow.endswith(f"]==3.3.9 --constraint {tmp_path / 'new' / 'constraints.txt'}")
    assert provider.endswith("apache-airflow==3.3.9 --editable .[dev]")
    assert (tmp_path / "new" / "constraints.txt").read_text() == "idna==3.7\n"
