"""Directories that are no files: LDAP (slapd) and SQL (sqlite). Phones register, call, and what is changed counts at once."""
import sqlite3
import time

import pytest
import tandem as t
from calls import call, uuid_of
from servers import Slapd
from wire import Phone

LDIF = """dn: o=example
objectClass: organization
o: example

dn: ou=127.0.0.1,o=example
objectClass: organizationalUnit
ou: 127.0.0.1

"""


def person(uid, more=""):
    return (f"dn: uid={uid},ou=127.0.0.1,o=example\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n"
            f"employeeType: pw{uid}\ndepartmentNumber: default\n{more}\n")


@pytest.fixture(scope="module")
def slapd(tmp_path_factory):
    s = Slapd(tmp_path_factory.mktemp("slapd")).start()
    s.add(LDIF + person("7001", "description: of <ldap> & more\n") + person("7002"))
    yield s
    s.stop()


@pytest.fixture(scope="module")
def sw(tmp_path_factory, slapd):
    s = t.Tandem(tmp_path_factory.mktemp("dirs") / "instance")
    conf = s.root / "conf/autoload_configs"
    (conf / "xml_ldap.conf.xml").write_text(
        '<configuration name="xml_ldap.conf"><bindings><binding name="people"><param name="filter" '
        'value="(&amp;(objectClass=inetOrgPerson)(uid=%s))" bindings="directory"/><param name="basedn" value="ou=%s,o=example"/>'
        f'<param name="url" value="ldap://127.0.0.1:{slapd.port}"/><param name="binddn" value="cn=admin,o=example"/><param name="bindpass" '
        'value="secret"/><param name="timeout" value="1"/><trans><tran name="id" mapfrom="uid"/><tran name="password" mapfrom="employeeType"/>'
        '<tran name="user_context" mapfrom="departmentNumber"/><tran name="note_of" mapfrom="description"/></trans></binding></bindings>'
        '</configuration>')
    (conf / "sql_directory.conf.xml").write_text('<configuration name="sql_directory.conf"><settings><param name="dsn" value="people"/>'
                                                 '</settings></configuration>')
    modules = conf / "modules.conf.xml"
    modules.write_text(modules.read_text().replace("<modules>", '<modules><load module="mod_xml_ldap"/><load module="mod_sql_directory"/>', 1))
    s.start()
    yield s
    s.stop()


def web_phone(sw, phone, name, **kw):
    sw.passwords[name] = "pw" + name
    return phone(name, **kw)


@pytest.fixture(scope="module")
def db(sw):
    path = next(p for p in (sw.root / "db").iterdir() if p.name.startswith("people") and p.suffix in ("", ".db"))
    d = sqlite3.connect(path, timeout=10)
    for user in ("7501", "7502"):
        d.execute("insert into directory_users (domain, username, number_alias, password) values ('127.0.0.1', ?, ?, ?)",
                  (user, "9" + user, "pw" + user))
        d.execute("insert into directory_values values ('127.0.0.1', ?, 'variable', 'user_context', 'default')", (user,))
    d.execute("insert into directory_values values ('127.0.0.1', '7501', 'variable', 'note_of', 'of <sql> & \"more\"')")
    d.execute("insert into directory_values values ('127.0.0.1', '', 'param', 'dial-string', "
              "'${sofia_contact(*/${dialed_user}@${dialed_domain})}')")
    d.commit()
    yield d
    d.close()


def refused(sw, name, code, password="wrong", timeout=8):
    """The code that a registration gets."""
    p = Phone(sw, name)
    sw.passwords[name] = password
    uri, to, cid = f"sip:{sw.domain}", f"<sip:{name}@{sw.domain}>", f"reg-{p.port}"
    p.request("REGISTER", uri, to, cid, extra="Expires: 60\n")
    p.request("REGISTER", uri, to, cid, extra="Expires: 60\n" + p.authorization(p.expect(401), "REGISTER", uri))
    got = p.expect(code, timeout=timeout)
    p.close()
    return got


def test_ldap_users(sw, phone):
    a = web_phone(sw, phone, "7001")
    call(a, "9196")
    assert sw.api(f"uuid_getvar {uuid_of(sw, '7001')} note_of") == "of <ldap> & more"
    a.bye()
    refused(sw, "7002", 403)
    refused(sw, "7*", 403)  # a name is a name, no pattern
    assert sw.api("user_exists id 7*1 127.0.0.1") == "false" and sw.api("user_exists id 7002 127.0.0.1") == "true"


def test_ldap_changes_count(sw, slapd, phone):
    slapd.add(person("7003"))
    web_phone(sw, phone, "7003")
    slapd.modify("dn: uid=7003,ou=127.0.0.1,o=example\nchangetype: modify\nreplace: employeeType\nemployeeType: other\n")
    sw.api("xml_flush_cache")
    refused(sw, "7003", 403, "pw7003")


def test_sql_users(sw, db, phone):
    a, b = web_phone(sw, phone, "7501"), web_phone(sw, phone, "7502")
    a.invite("9196")
    a.answered()
    assert sw.api(f"uuid_getvar {uuid_of(sw, '7501')} note_of") == 'of <sql> & "more"'
    a.bye()
    assert sw.api("user_data 97502@127.0.0.1 attr id") == "7502"
    assert sw.api("user_data 7502@127.0.0.1 param dial-string").startswith("${sofia_contact")
    db.execute("update directory_users set enabled = 0 where username = '7502'")
    db.commit()
    sw.api("xml_flush_cache")
    assert sw.api("user_exists id 7502 127.0.0.1") == "false"
    assert sw.api("user_exists id 75'02 127.0.0.1") == "false"
    assert "failed: 0" in sw.api("sql_directory")
    b.close()


def test_sql_gateways(sw, db):
    db.execute("insert into directory_gateways values ('127.0.0.1', '7501', 'of_sql', 'realm', '127.0.0.1:1')")
    db.execute("insert into directory_gateways values ('127.0.0.1', '7501', 'of_sql', 'register', 'false')")
    db.commit()
    sw.api("sofia profile external rescan")
    sw.api("sofia profile internal rescan")
    deadline = time.monotonic() + 5
    while "of_sql" not in sw.api("sofia status"):
        assert time.monotonic() < deadline, sw.api("sofia status")
        time.sleep(0.05)


def test_modules_come_and_go(sw, db):
    for module in ("mod_sql_directory", "mod_xml_ldap"):
        assert sw.api(f"unload {module}") == "+OK\n" and sw.api(f"load {module}").endswith("+OK\n")
    sw.api("xml_flush_cache")
    assert sw.api("user_exists id 7501 127.0.0.1") == "true" and sw.api("user_exists id 7001 127.0.0.1") == "true"


@pytest.mark.parametrize("fault", ["stalled", "dead"])
def test_a_bad_ldap_server_costs_only_who_needs_it(sw, slapd, phone, fault):
    sw.api("xml_flush_cache")
    if fault == "dead":
        slapd.stop()
    else:
        slapd.stall()
    try:
        phone("1000")  # of the files
        refused(sw, "7002", 503, "pw7002")
    finally:
        if fault == "dead":
            slapd.start()
        else:
            slapd.stall(False)
    deadline = time.monotonic() + 10
    while sw.api("user_exists id 7002 127.0.0.1") != "true":
        assert time.monotonic() < deadline, sw.api("xml_ldap")
        time.sleep(0.1)
    web_phone(sw, phone, "7002")
