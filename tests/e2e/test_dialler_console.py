"""The console's page of campaigns with mod_dialler itself behind it: a list goes in, its lines are told, a campaign runs, its result is seen."""
import pytest
import tandem as t
import web_console
from calls import extension
from dialler import campaign, configure, lab, retry
from test_webconsole import ROW, browser, page, user  # noqa: F401 (fixtures)


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    folder = web_console.built()
    s = t.Tandem(tmp_path_factory.mktemp("console") / "instance")
    web_console.roles_write(s)
    web_console.console_dir_write(s, folder)
    configure(s, [campaign("spring", retry("default", 3600, 0), mode="survey", trunks="lab", extension="7500")],
              '<trunks><trunk name="lab" dial="loopback/${number}/lab"/></trunks>')
    lab(s, extension(".*", "answer", "park"))
    (s.root / "conf/dialplan/default/tests.xml").write_text("<include>" + extension("7500", "dialler_answer likes '${dialler_name}'", "hangup") + "</include>")
    s.start()
    yield s
    s.stop()


def put_list(page, name, text):
    """What a person does with the file field."""
    page.eval(script="(() => { const d = new DataTransfer(); d.items.add(new File([%r], %r)); const i = document.querySelector('input[name=csv]'); "
                     "i.files = d.files; i.dispatchEvent(new Event('change')); })()" % (text, name))


def test_campaign(sw, page):  # noqa: F811
    bad = "<img src=x onerror=1>"
    user(page, sw, "1000")
    page.click(at="nav a[href='#/campaigns']")
    page.wait(at=f"{ROW}:has-text('spring')")
    page.click(at=f"{ROW} button:has-text('Show')")
    page.wait(at=".explain:has-text('nobody is called: the campaign is stopped')")
    put_list(page, "my list \u6625.csv", f"number,name\n8612345,{bad}\n12,short\n8612345,twice\n")
    page.wait(at="li.bad:has-text('3')")
    page.wait(at="li.bad:has-text('the number is too short')")
    page.wait(at="li.bad:has-text('the number is in line 2 too')")
    page.click(at=f"{ROW}:has-text('spring') button:has-text('Start')")
    page.wait(at=f"{ROW}:has-text('8612345')")
    page.wait(at=f"{ROW}:has-text('8612345'):has-text('NORMAL_CLEARING')")
    page.shot_keep("campaign")
    page.click(at="button:text-is('Answers')")
    page.wait(at=f"{ROW}:has-text('likes'):has-text('{bad}')")
    page.click(at=f"{ROW}:has-text('spring') button:has-text('Stop')")
    page.wait(at=f"{ROW}:has-text('spring') button:has-text('Start')")
    page.click(at="button:text-is('Do not call') >> nth=0")
    page.fill(at="input[name=dnc]", text="+49 30 12345")
    page.fill(at="input[name=dnc]", text="493012345")
    page.click(at="form.inline button")
    page.wait(at=f"{ROW}:has-text('493012345')")
    assert page.axe() == []
