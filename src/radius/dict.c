/* The attributes that have a name here: those of the RFCs that a switch meets, and Cisco's, Asterisk's and FreeSWITCH's
 * own. Others go by number. Whatever a server sends becomes a plain text and nothing else. */
#include "radius/dict.h"
#include "base/status.h"
#include "net/addr.h"
#include "radius/packet.h"
#include "text/digest.h"

#include <stdio.h>

static const struct rad_dict rows[] = {
    {"User-Name", 0, 1, RAD_TEXT},
    {"NAS-IP-Address", 0, 4, RAD_ADDR4},
    {"NAS-Port", 0, 5, RAD_NUMBER},
    {"Service-Type", 0, 6, RAD_NUMBER},
    {"Framed-Protocol", 0, 7, RAD_NUMBER},
    {"Framed-IP-Address", 0, 8, RAD_ADDR4},
    {"Filter-Id", 0, 11, RAD_TEXT},
    {"Login-IP-Host", 0, 14, RAD_ADDR4},
    {"Reply-Message", 0, 18, RAD_TEXT},
    {"Callback-Number", 0, 19, RAD_TEXT},
    {"Callback-Id", 0, 20, RAD_TEXT},
    {"State", 0, 24, RAD_BYTES},
    {"Class", 0, 25, RAD_BYTES},
    {"Session-Timeout", 0, 27, RAD_NUMBER},
    {"Idle-Timeout", 0, 28, RAD_NUMBER},
    {"Called-Station-Id", 0, 30, RAD_TEXT},
    {"Calling-Station-Id", 0, 31, RAD_TEXT},
    {"NAS-Identifier", 0, 32, RAD_TEXT},
    {"Acct-Status-Type", 0, 40, RAD_NUMBER},
    {"Acct-Delay-Time", 0, 41, RAD_NUMBER},
    {"Acct-Input-Octets", 0, 42, RAD_NUMBER},
    {"Acct-Output-Octets", 0, 43, RAD_NUMBER},
    {"Acct-Session-Id", 0, 44, RAD_TEXT},
    {"Acct-Authentic", 0, 45, RAD_NUMBER},
    {"Acct-Session-Time", 0, 46, RAD_NUMBER},
    {"Acct-Input-Packets", 0, 47, RAD_NUMBER},
    {"Acct-Output-Packets", 0, 48, RAD_NUMBER},
    {"Acct-Terminate-Cause", 0, 49, RAD_NUMBER},
    {"Acct-Multi-Session-Id", 0, 50, RAD_TEXT},
    {"Event-Timestamp", 0, 55, RAD_TIME},
    {"NAS-Port-Type", 0, 61, RAD_NUMBER},
    {"Connect-Info", 0, 77, RAD_TEXT},
    {"Acct-Interim-Interval", 0, 85, RAD_NUMBER},
    {"NAS-Port-Id", 0, 87, RAD_TEXT},
    {"Chargeable-User-Identity", 0, 89, RAD_TEXT},
    {"NAS-IPv6-Address", 0, 95, RAD_ADDR6},
    {"Error-Cause", 0, 101, RAD_NUMBER},
    {"SIP-AOR", 0, 122, RAD_TEXT},
    {"Cisco-AVPair", RAD_VENDOR_CISCO, 1, RAD_TEXT},
    {"Cisco-NAS-Port", RAD_VENDOR_CISCO, 2, RAD_TEXT},
    {"h323-remote-address", RAD_VENDOR_CISCO, 23, RAD_TEXT},
    {"h323-conf-id", RAD_VENDOR_CISCO, 24, RAD_TEXT},
    {"h323-setup-time", RAD_VENDOR_CISCO, 25, RAD_TEXT},
    {"h323-call-origin", RAD_VENDOR_CISCO, 26, RAD_TEXT},
    {"h323-call-type", RAD_VENDOR_CISCO, 27, RAD_TEXT},
    {"h323-connect-time", RAD_VENDOR_CISCO, 28, RAD_TEXT},
    {"h323-disconnect-time", RAD_VENDOR_CISCO, 29, RAD_TEXT},
    {"h323-disconnect-cause", RAD_VENDOR_CISCO, 30, RAD_TEXT},
    {"h323-voice-quality", RAD_VENDOR_CISCO, 31, RAD_TEXT},
    {"h323-gw-id", RAD_VENDOR_CISCO, 33, RAD_TEXT},
    {"h323-incoming-conf-id", RAD_VENDOR_CISCO, 35, RAD_TEXT},
    {"h323-credit-amount", RAD_VENDOR_CISCO, 101, RAD_TEXT},
    {"h323-credit-time", RAD_VENDOR_CISCO, 102, RAD_TEXT},
    {"h323-return-code", RAD_VENDOR_CISCO, 103, RAD_TEXT},
    {"h323-prompt-id", RAD_VENDOR_CISCO, 104, RAD_TEXT},
    {"h323-time-and-day", RAD_VENDOR_CISCO, 105, RAD_TEXT},
    {"h323-redirect-number", RAD_VENDOR_CISCO, 106, RAD_TEXT},
    {"h323-preferred-lang", RAD_VENDOR_CISCO, 107, RAD_TEXT},
    {"h323-redirect-ip-address", RAD_VENDOR_CISCO, 108, RAD_TEXT},
    {"h323-billing-model", RAD_VENDOR_CISCO, 109, RAD_TEXT},
    {"h323-currency", RAD_VENDOR_CISCO, 110, RAD_TEXT},
    {"Asterisk-Acc-Code", RAD_VENDOR_ASTERISK, 101, RAD_TEXT},
    {"Asterisk-Src", RAD_VENDOR_ASTERISK, 102, RAD_TEXT},
    {"Asterisk-Dst", RAD_VENDOR_ASTERISK, 103, RAD_TEXT},
    {"Asterisk-Dst-Ctx", RAD_VENDOR_ASTERISK, 104, RAD_TEXT},
    {"Asterisk-Clid", RAD_VENDOR_ASTERISK, 105, RAD_TEXT},
    {"Asterisk-Chan", RAD_VENDOR_ASTERISK, 106, RAD_TEXT},
    {"Asterisk-Dst-Chan", RAD_VENDOR_ASTERISK, 107, RAD_TEXT},
    {"Asterisk-Last-App", RAD_VENDOR_ASTERISK, 108, RAD_TEXT},
    {"Asterisk-Last-Data", RAD_VENDOR_ASTERISK, 109, RAD_TEXT},
    {"Asterisk-Start-Time", RAD_VENDOR_ASTERISK, 110, RAD_TEXT},
    {"Asterisk-Answer-Time", RAD_VENDOR_ASTERISK, 111, RAD_TEXT},
    {"Asterisk-End-Time", RAD_VENDOR_ASTERISK, 112, RAD_TEXT},
    {"Asterisk-Duration", RAD_VENDOR_ASTERISK, 113, RAD_NUMBER},
    {"Asterisk-Bill-Sec", RAD_VENDOR_ASTERISK, 114, RAD_NUMBER},
    {"Asterisk-Disposition", RAD_VENDOR_ASTERISK, 115, RAD_TEXT},
    {"Asterisk-AMA-Flags", RAD_VENDOR_ASTERISK, 116, RAD_TEXT},
    {"Asterisk-Unique-ID", RAD_VENDOR_ASTERISK, 117, RAD_TEXT},
    {"Asterisk-User-Field", RAD_VENDOR_ASTERISK, 118, RAD_TEXT},
    {"Freeswitch-AVPair", RAD_VENDOR_FREESWITCH, 1, RAD_TEXT},
    {"Freeswitch-CLID", RAD_VENDOR_FREESWITCH, 2, RAD_TEXT},
    {"Freeswitch-Dialplan", RAD_VENDOR_FREESWITCH, 3, RAD_TEXT},
    {"Freeswitch-Src", RAD_VENDOR_FREESWITCH, 4, RAD_TEXT},
    {"Freeswitch-Dst", RAD_VENDOR_FREESWITCH, 5, RAD_TEXT},
    {"Freeswitch-Src-Channel", RAD_VENDOR_FREESWITCH, 6, RAD_TEXT},
    {"Freeswitch-Dst-Channel", RAD_VENDOR_FREESWITCH, 7, RAD_TEXT},
    {"Freeswitch-Ani", RAD_VENDOR_FREESWITCH, 8, RAD_TEXT},
    {"Freeswitch-Aniii", RAD_VENDOR_FREESWITCH, 9, RAD_TEXT},
    {"Freeswitch-Lastapp", RAD_VENDOR_FREESWITCH, 10, RAD_TEXT},
    {"Freeswitch-Lastdata", RAD_VENDOR_FREESWITCH, 11, RAD_TEXT},
    {"Freeswitch-Disposition", RAD_VENDOR_FREESWITCH, 12, RAD_TEXT},
    {"Freeswitch-Hangupcause", RAD_VENDOR_FREESWITCH, 13, RAD_NUMBER},
    {"Freeswitch-Billusec", RAD_VENDOR_FREESWITCH, 15, RAD_NUMBER},
    {"Freeswitch-AMAFlags", RAD_VENDOR_FREESWITCH, 16, RAD_NUMBER},
    {"Freeswitch-RDNIS", RAD_VENDOR_FREESWITCH, 17, RAD_TEXT},
    {"Freeswitch-Context", RAD_VENDOR_FREESWITCH, 18, RAD_TEXT},
    {"Freeswitch-Source", RAD_VENDOR_FREESWITCH, 19, RAD_TEXT},
    {"Freeswitch-Callstartdate", RAD_VENDOR_FREESWITCH, 20, RAD_TEXT},
    {"Freeswitch-Callanswerdate", RAD_VENDOR_FREESWITCH, 21, RAD_TEXT},
    {"Freeswitch-Calltransferdate", RAD_VENDOR_FREESWITCH, 22, RAD_TEXT},
    {"Freeswitch-Callenddate", RAD_VENDOR_FREESWITCH, 23, RAD_TEXT},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

int rad_dict_find(struct sv name, struct rad_dict *out)
{
	struct sv first, second, third;
	uint32_t type, vendor = 0;
	for (size_t i = 0; i < ROWS; i++)
		if (sv_isi(name, rows[i].name)) {
			*out = rows[i];
			return ST_OK;
		}
	if (!sv_startsi(name, SV("Attr-")))
		return ST_NOTFOUND;
	name = sv_sub(name, 5, name.n);
	if (!sv_split(name, '.', &first, &second)) {
		if (sv_u32(name, &type) || !type || type > 255 || type == RAD_VENDOR_SPECIFIC)
			return ST_NOTFOUND;
	} else if (!sv_is(first, "26") || !sv_split(second, '.', &first, &third) || sv_u32(first, &vendor) || !vendor ||
	           sv_u32(third, &type) || !type || type > 255) {
		return ST_NOTFOUND;
	}
	if (!rad_dict_of(vendor, (uint8_t)type, out))
		*out = (struct rad_dict){NULL, vendor, (uint8_t)type, RAD_TEXT};
	return ST_OK;
}

bool rad_dict_of(uint32_t vendor, uint8_t type, struct rad_dict *out)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].vendor == vendor && rows[i].type == type) {
			*out = rows[i];
			return true;
		}
	return false;
}

static void text_put(const struct rad_dict *d, struct sv v, struct buf *out)
{
	struct sv name = sv_of(d->name);
	if (d->vendor == RAD_VENDOR_CISCO && name.n && v.n > name.n && v.p[name.n] == '=' && sv_startsi(v, name))
		v = sv_sub(v, name.n + 1, v.n);
	for (size_t i = 0; i < v.n; i++)
		buf_addc(out, (unsigned char)v.p[i] < ' ' || v.p[i] == 127 ? ' ' : v.p[i]);
}

void rad_value_text(const struct rad_dict *d, struct sv v, struct buf *out)
{
	const uint8_t *b = (const uint8_t *)v.p;
	struct addr a = {0};
	char text[ADDR_TEXT_MAX];
	if ((d->form == RAD_NUMBER || d->form == RAD_TIME) && v.n == 4) {
		buf_printf(out, "%u", (unsigned)b[0] << 24 | (unsigned)b[1] << 16 | (unsigned)b[2] << 8 | b[3]);
	} else if (d->form == RAD_ADDR4 && v.n == 4) {
		a.in4.sin_family = AF_INET;
		memcpy(&a.in4.sin_addr, b, 4);
		buf_adds(out, addr_host(&a, text));
	} else if (d->form == RAD_ADDR6 && v.n == 16) {
		a.in6.sin6_family = AF_INET6;
		memcpy(&a.in6.sin6_addr, b, 16);
		buf_adds(out, addr_host(&a, text));
	} else if (d->form == RAD_TEXT) {
		text_put(d, v, out);
	} else {
		char hex[3];
		for (size_t i = 0; i < v.n; i++) {
			digest_hex(b + i, 1, hex);
			buf_adds(out, hex);
		}
	}
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

int rad_value_make(const struct rad_dict *d, struct sv text, struct buf *out)
{
	struct addr a;
	uint32_t n;
	if (d->form == RAD_TEXT)
		return buf_addv(out, text);
	if (d->form == RAD_NUMBER || d->form == RAD_TIME) {
		if (sv_u32(text, &n))
			return ST_PARSE;
		uint8_t b[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
		return buf_add(out, b, 4);
	}
	if (d->form == RAD_ADDR4 || d->form == RAD_ADDR6) {
		if (addr_parse(&a, text, 0) || (a.sa.sa_family == AF_INET) != (d->form == RAD_ADDR4))
			return ST_PARSE;
		return d->form == RAD_ADDR4 ? buf_add(out, &a.in4.sin_addr, 4) : buf_add(out, &a.in6.sin6_addr, 16);
	}
	if (text.n % 2)
		return ST_PARSE;
	for (size_t i = 0; i < text.n; i += 2) {
		if (nibble(text.p[i]) < 0 || nibble(text.p[i + 1]) < 0)
			return ST_PARSE;
		buf_addc(out, (char)(nibble(text.p[i]) * 16 + nibble(text.p[i + 1])));
	}
	return ST_OK;
}

int rad_dict_put(struct buf *attrs, const struct rad_dict *d, struct sv text)
{
	struct buf value;
	buf_init(&value);
	int st = text.n ? rad_value_make(d, text, &value) : ST_OK;
	if (!st && value.n)
		st = d->vendor ? rad_put_vendor(attrs, d->vendor, d->type, buf_sv(&value))
		               : rad_put(attrs, d->type, buf_sv(&value));
	buf_fini(&value);
	return st;
}
