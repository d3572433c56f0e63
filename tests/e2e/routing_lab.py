"""A switch with the tables that carriers' look-ups need: the same as those the recordings were made with."""
import http.server
import json
import sqlite3
import threading

import dns_server
import tandem as t

LCR = """
CREATE TABLE carriers (id integer primary key, carrier_name varchar(255), enabled boolean default '1');
CREATE TABLE carrier_gateway (id integer primary key, carrier_id integer, prefix varchar(128), suffix varchar(128), codec varchar(128), enabled boolean default '1', max_calls int default 0);
CREATE TABLE lcr (id integer primary key, digits varchar(15), rate numeric(11,5), intrastate_rate numeric(11,5), intralata_rate numeric(11,5),
 carrier_id integer, lead_strip int default 0, trail_strip int default 0, prefix varchar(16) default '', suffix varchar(16) default '', lcr_profile int default 0,
 date_start timestamp default '1970-01-01', date_end timestamp default '2999-12-31', quality numeric(10,6) default 0, reliability numeric(10,6) default 0,
 cid varchar(32) default '', enabled boolean default '1', lrn boolean default '0', lcr_limit text);
INSERT INTO carriers VALUES (1,'carrierA','1'),(2,'carrierB','1');
INSERT INTO carrier_gateway VALUES (1,1,'sofia/external/','@127.0.0.1:%d','','1',0),(2,2,'sofia/external/','@127.0.0.1:%d','PCMA','1',3);
INSERT INTO lcr (digits,rate,intrastate_rate,intralata_rate,carrier_id,lead_strip,prefix,quality,reliability,cid) VALUES
 ('1',0.05,0.04,0.03,1,0,'',1,1,''),('1555',0.02,0.03,0.04,2,1,'9',2,2,''),('1555',0.03,0.03,0.04,1,0,'',3,3,'1800$1'),('44',0.10,0.1,0.1,1,0,'011',1,1,''),
 ('77',0.01,0.01,0.01,1,0,'',1,1,'/^\\+?(\\d+)$/0$1/');
INSERT INTO lcr (digits,rate,carrier_id,trail_strip,suffix,lrn) VALUES ('88',0.01,1,2,'#','0'),('4930',0.5,2,0,'','1');
"""
CID = """
CREATE TABLE phonebook(id integer primary key,name text); CREATE TABLE numbers(phonebook_id int,number text,type text);
INSERT INTO phonebook VALUES(1,'Alice Lab'),(2,'Mallory'); INSERT INTO numbers VALUES(1,'15551234567','home'),(2,'666','${hupall()}');
CREATE TABLE npa_nxx_company_ocn(npa int,nxx int,ratecenter text,state text); INSERT INTO npa_nxx_company_ocn VALUES(555,123,'LABTOWN','OK');
"""
EASY = """
CREATE TABLE gateways(gateway_id integer primary key, gateway_ip text, "group" text, "limit" text, techprofile text);
CREATE TABLE numbers(number text, gateway_id int, acctcode text, translated text);
INSERT INTO gateways VALUES(1,'127.0.0.1:7000','east','10','sofia/external'); INSERT INTO numbers VALUES('15551234',1,'acct7','5551234');
"""


class Names:
    """A web server that knows names: answers as told, counts, holds back."""

    def __init__(self):
        self.asked, self.answer, self.may_go = [], (200, "Cnam Lab"), threading.Event()
        self.may_go.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.may_go.wait(20)
                code, text = outer.answer
                self.send_response(code)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.where = f"127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.may_go.set()
        self.http.shutdown()
        self.http.server_close()


def make(root, names, dns_rules, a_port=7000, b_port=7001, cache="false"):
    s = t.Tandem(root, "conf")
    conf, db = s.root / "conf/autoload_configs", s.root / "db"
    db.mkdir(exist_ok=True)
    for name, text in (("lcr", LCR % (a_port, b_port)), ("cid", CID), ("easy", EASY)):
        c = sqlite3.connect(db / f"{name}.db")
        c.executescript(text)
        c.close()
    (conf / "lcr.conf.xml").write_text(f"""<configuration name="lcr.conf"><settings><param name="odbc-dsn" value="sqlite://{db}/lcr.db"/></settings><profiles>
<profile name="default"><param name="id" value="0"/><param name="order_by" value="rate,quality,reliability"/></profile>
<profile name="causes"><param name="failover_causes" value="NORMAL_TEMPORARY_FAILURE,GATEWAY_DOWN"/></profile>
<profile name="qual_rel"><param name="id" value="1"/><param name="order_by" value="quality,reliability"/></profile>
<profile name="rel_qual"><param name="id" value="2"/><param name="order_by" value="reliability,quality"/></profile>
<profile name="single"><param name="order_by" value="quality"/><param name="single_bridge" value="true"/><param name="reorder_by_rate" value="true"/>
 <param name="info_in_headers" value="true"/><param name="export_fields" value="lcr_digits"/></profile>
<profile name="own"><param name="custom_sql" value="SELECT '%q' AS lcr_digits, 'own' AS lcr_carrier_name, 1 AS lcr_rate_field, 'loopback/' AS lcr_gw_prefix,
 '' AS lcr_gw_suffix, 2 AS lcr_limit_max, 'r' AS lcr_limit_realm, 'x' AS lcr_limit_id WHERE '${{caller_id_name}}' != 'nobody'"/></profile>
<profile name="memory"><param name="source" value="memory"/><param name="order_by" value="rate,quality,reliability"/></profile>
<profile name="best"><param name="source" value="memory"/><param name="order_by" value="asr,rate"/></profile>
</profiles></configuration>""")
    (conf / "cidlookup.conf.xml").write_text(f"""<configuration name="cidlookup.conf"><settings>
<param name="url" value="http://{names.where}/cnam?number=${{caller_id_number}}"/><param name="cache" value="{cache}"/><param name="cache-expire" value="86400"/>
<param name="odbc-dsn" value="sqlite://{db}/cid.db"/><param name="curl-timeout" value="1000"/>
<param name="sql" value="SELECT name||' ('||type||')' AS name FROM phonebook p JOIN numbers n ON p.id = n.phonebook_id WHERE n.number='${{caller_id_number}}' LIMIT 1"/>
<param name="citystate-sql" value="SELECT ratecenter||' '||state as name FROM npa_nxx_company_ocn WHERE npa = ${{caller_id_number:1:3}} AND nxx = ${{caller_id_number:4:3}} LIMIT 1"/>
</settings></configuration>""")
    (conf / "easyroute.conf.xml").write_text(f"""<configuration name="easyroute.conf"><settings><param name="db-dsn" value="sqlite://{db}/easy.db"/>
<param name="default-techprofile" value="sofia/default"/><param name="default-gateway" value="192.0.2.6"/></settings></configuration>""")
    (conf / "translate.conf.xml").write_text("""<configuration name="translate.conf"><profiles>
<profile name="US"><rule regex="^\\+(\\d+)$" replace="$1"/><rule regex="^(1[2-9]\\d{2}[2-9]\\d{6})$" replace="$1"/><rule regex="^([2-9]\\d{2}[2-9]\\d{6})$" replace="1$1"/>
<rule regex="^([2-9]\\d{6})$" replace="1${areacode}$1"/><rule regex="^011(\\d+)$" replace="$1"/></profile>
<profile name="GB"><rule regex="^\\+(\\d+)$" replace="$1"/><rule regex="^$" replace="$1"/></profile>
<profile name="HK"><rule regex="\\+(\\d+)$" replace="$1"/><rule regex="^(852\\d{8})$" replace="$1"/><rule regex="^(\\d{8})$" replace="852$1"/></profile>
<profile name="any"><rule regex="^(.*)$" replace="x$1"/></profile>
</profiles></configuration>""")
    lists = s.root / "lists"
    lists.mkdir()
    (lists / "example.list").write_text("5551000\n5551001\n")
    (lists / "places.json").write_text(json.dumps({"49": "Germany", "4930": "Berlin", "1": "NANP"}))
    (conf / "blacklist.conf.xml").write_text(f"""<configuration name="mod_blacklist.conf"><lists><list name="example" filename="{lists}/example.list"/></lists></configuration>""")
    (conf / "prefix.conf.xml").write_text(f"""<configuration name="prefix.conf"><tables><table name="places" file="{lists}/places.json"/></tables></configuration>""")
    (conf / "enum.conf.xml").write_text("""<configuration name="enum.conf"><settings><param name="default-root" value="e164.test"/><param name="default-isn-root" value="isn.test"/>
<param name="query-timeout-ms" value="500"/></settings><routes>
<route service="E2U+SIP" regex="sip:(.*)" replace="sofia/${use_profile}/$1;transport=udp"/></routes></configuration>""")
    modules = conf / "modules.conf.xml"
    names_of = "distributor lcr easyroute enum cidlookup translate blacklist prefix".split()
    modules.write_text(modules.read_text().replace("</modules>", "".join(f'<load module="mod_{m}"/>' for m in names_of) + "</modules>"))
    vars_xml = s.root / "conf/vars.xml"
    vars_xml.write_text(vars_xml.read_text().replace("</include>", '<X-PRE-PROCESS cmd="set" data="default_areacode=918"/>\n<X-PRE-PROCESS cmd="set" data="use_profile=external"/>\n</include>'))
    dns = dns_server.use(s, dns_rules)
    return s, dns
