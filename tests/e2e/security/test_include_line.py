"""A file of the configuration has an extension on the same line as <include>. Dropped without a word, a rule that forbids something is
not there."""
from calls import call


def test_what_stands_beside_include_counts(tandem, phone):
    path = tandem.root / "conf/dialplan/default/beside.xml"
    path.write_text('<?xml version="1.0"?><include><extension name="beside"><condition field="destination_number" expression="^7111$">'
                    '<action application="answer"/><action application="park"/></condition></extension></include>\n')
    assert "+OK" in tandem.api("reloadxml")
    a = call(phone("1000"), "7111")
    a.bye()
