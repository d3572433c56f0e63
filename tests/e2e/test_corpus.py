"""Every row of tests/data/corpus/commands: the input is played, the reply is FreeSWITCH's."""
import re
import subprocess

import corpus
import pytest
import tandem as t

ROWS = {p.stem: corpus.read(p) for p in corpus.files()}


@pytest.fixture(scope="module")
def player(tmp_path_factory):
    sw = t.Tandem(tmp_path_factory.mktemp("corpus") / "instance", "vanilla")
    (sw.root / "conf/dialplan/corpus.xml").write_text(corpus.dialplan())
    modules = sw.root / "conf/autoload_configs/modules.conf.xml"
    text = modules.read_text()
    for name in ("mod_expr", "mod_hash", "mod_db", "mod_loopback"):
        if not re.search(rf'^\s*<load module="{name}"', text, re.M):
            text = text.replace("</modules>", f'<load module="{name}"/></modules>')
    modules.write_text(text)
    sw.start()
    p = corpus.Player(sw.esl())
    p.domain = sw.domain
    yield p
    p.esl.close()
    sw.stop()


@pytest.mark.parametrize("name", ROWS)
def test_rows(player, name):
    rows = [r for r in ROWS[name] if r.needs != "stock" or t.VANILLA.parent == t.SHARED]
    differ = [(str(r), *pair) for r in rows for pair in [player.differs(r)] if pair]
    assert not differ, "\n".join(f"{r}\n   is    {corpus.cell_out(got)}\n   right {corpus.cell_out(right)}" for r, got, right in differ)


def test_tool(player, tmp_path):
    """tools/corpus against the running switch: what is right, what differs, a row more."""
    tool = [str(t.TOP / "tools/corpus"), "-p", str(player.esl.sock.getpeername()[1]), "-w", "ClueCon"]

    def run(*args):
        return subprocess.run([*tool, *map(str, args)], capture_output=True, text=True, timeout=60)
    mine = tmp_path / "mine.tsv"
    mine.write_text("#kind: command\necho a\tb\necho a\\tb <b>\ta\\tb <b>\n")
    done = run("replay", mine)
    assert done.returncode == 1 and "mine:2: echo a\n   is    a\n   right b\n2 rows, 1 differ" in done.stdout, done
    assert run("show", mine, "create_uuid").stdout.count("-") == 4
    assert run("add", mine, "create_uuid").returncode == 0
    assert run("add", mine, "echo c", "c").returncode == 0
    assert mine.read_text().endswith("create_uuid\t<UUID>\necho c\tc\n")
    assert "4 rows, 1 differ" in run("replay", mine).stdout
    assert 'context name="corpus"' in run("dialplan").stdout
