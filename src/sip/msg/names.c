/* Tables of names: methods, header fields with their compact forms, transports, reason phrases. */
#include "sip/msg/chars_i.h"
#include <string.h>
#include <strings.h>

static const char *const method_names[SIP_METHOD_COUNT] = {
    [SIP_NO_METHOD] = "",
    [SIP_INVITE] = "INVITE",
    [SIP_ACK] = "ACK",
    [SIP_BYE] = "BYE",
    [SIP_CANCEL] = "CANCEL",
    [SIP_OPTIONS] = "OPTIONS",
    [SIP_REGISTER] = "REGISTER",
    [SIP_INFO] = "INFO",
    [SIP_UPDATE] = "UPDATE",
    [SIP_PRACK] = "PRACK",
    [SIP_SUBSCRIBE] = "SUBSCRIBE",
    [SIP_NOTIFY] = "NOTIFY",
    [SIP_REFER] = "REFER",
    [SIP_MESSAGE] = "MESSAGE",
    [SIP_PUBLISH] = "PUBLISH",
};

enum sip_method sip_method_of(struct sv text)
{
	for (int m = SIP_INVITE; m < SIP_METHOD_COUNT; m++)
		if (text.n && text.p[0] == method_names[m][0] && sv_is(text, method_names[m]))
			return (enum sip_method)m;
	return SIP_NO_METHOD;
}

const char *sip_method_name(enum sip_method m)
{
	return (unsigned)m < SIP_METHOD_COUNT ? method_names[m] : "";
}

#define HDR(id_, name_) [id_] = {name_, sizeof(name_) - 1}
static const struct {
	const char *name;
	uint8_t len;
} hdr_names[SIP_HDR_COUNT] = {
    HDR(SIP_HDR_OTHER, ""),
    HDR(SIP_HDR_VIA, "Via"),
    HDR(SIP_HDR_FROM, "From"),
    HDR(SIP_HDR_TO, "To"),
    HDR(SIP_HDR_CALL_ID, "Call-ID"),
    HDR(SIP_HDR_CSEQ, "CSeq"),
    HDR(SIP_HDR_CONTACT, "Contact"),
    HDR(SIP_HDR_MAX_FORWARDS, "Max-Forwards"),
    HDR(SIP_HDR_CONTENT_LENGTH, "Content-Length"),
    HDR(SIP_HDR_CONTENT_TYPE, "Content-Type"),
    HDR(SIP_HDR_ROUTE, "Route"),
    HDR(SIP_HDR_RECORD_ROUTE, "Record-Route"),
    HDR(SIP_HDR_EXPIRES, "Expires"),
    HDR(SIP_HDR_AUTHORIZATION, "Authorization"),
    HDR(SIP_HDR_PROXY_AUTHORIZATION, "Proxy-Authorization"),
    HDR(SIP_HDR_WWW_AUTHENTICATE, "WWW-Authenticate"),
    HDR(SIP_HDR_PROXY_AUTHENTICATE, "Proxy-Authenticate"),
    HDR(SIP_HDR_USER_AGENT, "User-Agent"),
    HDR(SIP_HDR_SERVER, "Server"),
    HDR(SIP_HDR_ALLOW, "Allow"),
    HDR(SIP_HDR_SUPPORTED, "Supported"),
    HDR(SIP_HDR_REQUIRE, "Require"),
    HDR(SIP_HDR_PROXY_REQUIRE, "Proxy-Require"),
    HDR(SIP_HDR_UNSUPPORTED, "Unsupported"),
    HDR(SIP_HDR_REASON, "Reason"),
    HDR(SIP_HDR_RETRY_AFTER, "Retry-After"),
    HDR(SIP_HDR_MIN_EXPIRES, "Min-Expires"),
    HDR(SIP_HDR_EVENT, "Event"),
    HDR(SIP_HDR_ALLOW_EVENTS, "Allow-Events"),
    HDR(SIP_HDR_SUBSCRIPTION_STATE, "Subscription-State"),
    HDR(SIP_HDR_REFER_TO, "Refer-To"),
    HDR(SIP_HDR_REFERRED_BY, "Referred-By"),
    HDR(SIP_HDR_REPLACES, "Replaces"),
    HDR(SIP_HDR_SUBJECT, "Subject"),
    HDR(SIP_HDR_CONTENT_ENCODING, "Content-Encoding"),
    HDR(SIP_HDR_CONTENT_DISPOSITION, "Content-Disposition"),
    HDR(SIP_HDR_ACCEPT, "Accept"),
    HDR(SIP_HDR_DATE, "Date"),
    HDR(SIP_HDR_SESSION_EXPIRES, "Session-Expires"),
    HDR(SIP_HDR_MIN_SE, "Min-SE"),
    HDR(SIP_HDR_RSEQ, "RSeq"),
    HDR(SIP_HDR_RACK, "RAck"),
    HDR(SIP_HDR_PATH, "Path"),
    HDR(SIP_HDR_SERVICE_ROUTE, "Service-Route"),
    HDR(SIP_HDR_P_ASSERTED_IDENTITY, "P-Asserted-Identity"),
    HDR(SIP_HDR_P_PREFERRED_IDENTITY, "P-Preferred-Identity"),
    HDR(SIP_HDR_REMOTE_PARTY_ID, "Remote-Party-ID"),
    HDR(SIP_HDR_PRIVACY, "Privacy"),
    HDR(SIP_HDR_DIVERSION, "Diversion"),
    HDR(SIP_HDR_ALERT_INFO, "Alert-Info"),
    HDR(SIP_HDR_CALL_INFO, "Call-Info"),
    HDR(SIP_HDR_WARNING, "Warning"),
    HDR(SIP_HDR_TIMESTAMP, "Timestamp"),
    HDR(SIP_HDR_MIME_VERSION, "MIME-Version"),
    HDR(SIP_HDR_HISTORY_INFO, "History-Info"),
};

/* By first letter, the frequent ones first. */
#define LETTER(c) [(c) - 'a']
static const uint8_t by_letter[26][10] = {
    LETTER('a') = {SIP_HDR_ALLOW, SIP_HDR_AUTHORIZATION, SIP_HDR_ACCEPT, SIP_HDR_ALLOW_EVENTS, SIP_HDR_ALERT_INFO},
    LETTER('c') = {SIP_HDR_CALL_ID, SIP_HDR_CSEQ, SIP_HDR_CONTACT, SIP_HDR_CONTENT_LENGTH, SIP_HDR_CONTENT_TYPE,
        SIP_HDR_CONTENT_DISPOSITION, SIP_HDR_CONTENT_ENCODING, SIP_HDR_CALL_INFO},
    LETTER('d') = {SIP_HDR_DATE, SIP_HDR_DIVERSION},
    LETTER('e') = {SIP_HDR_EXPIRES, SIP_HDR_EVENT},
    LETTER('f') = {SIP_HDR_FROM},
    LETTER('h') = {SIP_HDR_HISTORY_INFO},
    LETTER('m') = {SIP_HDR_MAX_FORWARDS, SIP_HDR_MIN_EXPIRES, SIP_HDR_MIN_SE, SIP_HDR_MIME_VERSION},
    LETTER('p') = {SIP_HDR_PROXY_AUTHORIZATION, SIP_HDR_PROXY_AUTHENTICATE, SIP_HDR_P_ASSERTED_IDENTITY,
        SIP_HDR_P_PREFERRED_IDENTITY, SIP_HDR_PRIVACY, SIP_HDR_PATH, SIP_HDR_PROXY_REQUIRE},
    LETTER('r') = {SIP_HDR_ROUTE, SIP_HDR_RECORD_ROUTE, SIP_HDR_REQUIRE, SIP_HDR_REASON, SIP_HDR_RETRY_AFTER,
        SIP_HDR_REFER_TO, SIP_HDR_REFERRED_BY, SIP_HDR_REPLACES, SIP_HDR_RSEQ},
    LETTER('s') = {SIP_HDR_SUPPORTED, SIP_HDR_SERVER, SIP_HDR_SUBSCRIPTION_STATE, SIP_HDR_SUBJECT,
        SIP_HDR_SESSION_EXPIRES, SIP_HDR_SERVICE_ROUTE},
    LETTER('t') = {SIP_HDR_TO, SIP_HDR_TIMESTAMP},
    LETTER('u') = {SIP_HDR_USER_AGENT, SIP_HDR_UNSUPPORTED},
    LETTER('v') = {SIP_HDR_VIA},
    LETTER('w') = {SIP_HDR_WWW_AUTHENTICATE, SIP_HDR_WARNING},
};
/* Names whose row above is full. */
static const uint8_t overflow[] = {SIP_HDR_RACK, SIP_HDR_REMOTE_PARTY_ID};

static const uint8_t compact[26] = {
    LETTER('b') = SIP_HDR_REFERRED_BY,
    LETTER('c') = SIP_HDR_CONTENT_TYPE,
    LETTER('e') = SIP_HDR_CONTENT_ENCODING,
    LETTER('f') = SIP_HDR_FROM,
    LETTER('i') = SIP_HDR_CALL_ID,
    LETTER('k') = SIP_HDR_SUPPORTED,
    LETTER('l') = SIP_HDR_CONTENT_LENGTH,
    LETTER('m') = SIP_HDR_CONTACT,
    LETTER('o') = SIP_HDR_EVENT,
    LETTER('r') = SIP_HDR_REFER_TO,
    LETTER('s') = SIP_HDR_SUBJECT,
    LETTER('t') = SIP_HDR_TO,
    LETTER('u') = SIP_HDR_ALLOW_EVENTS,
    LETTER('v') = SIP_HDR_VIA,
    LETTER('x') = SIP_HDR_SESSION_EXPIRES,
};

static bool name_is(struct sv name, unsigned id)
{
	return name.n == hdr_names[id].len &&
	       (!memcmp(name.p, hdr_names[id].name, name.n) || !strncasecmp(name.p, hdr_names[id].name, name.n));
}

enum sip_hdr_id sip_hdr_id_of(struct sv name)
{
	unsigned letter = name.n ? (unsigned)((uint8_t)name.p[0] | 0x20) - 'a' : 26;
	if (letter >= 26)
		return SIP_HDR_OTHER;
	if (name.n == 1)
		return (enum sip_hdr_id)compact[letter];
	for (size_t i = 0; i < sizeof(by_letter[0]) && by_letter[letter][i]; i++)
		if (name_is(name, by_letter[letter][i]))
			return (enum sip_hdr_id)by_letter[letter][i];
	for (size_t i = 0; i < sizeof(overflow); i++)
		if (name_is(name, overflow[i]))
			return (enum sip_hdr_id)overflow[i];
	return SIP_HDR_OTHER;
}

const char *sip_hdr_name(enum sip_hdr_id id)
{
	return (unsigned)id < SIP_HDR_COUNT ? hdr_names[id].name : "";
}

static const struct sip_transport_facts transports[SIP_TRANSPORT_COUNT] = {
    [SIP_TRANSPORT_NONE] = {"", "", 5060, false},
    [SIP_UDP] = {"UDP", "udp", 5060, false},
    [SIP_TCP] = {"TCP", "tcp", 5060, true},
    [SIP_TLS] = {"TLS", "tls", 5061, true},
    [SIP_WS] = {"WS", "ws", 80, true},
    [SIP_WSS] = {"WSS", "wss", 443, true},
};

const struct sip_transport_facts *sip_transport_facts(enum sip_transport t)
{
	return &transports[(unsigned)t < SIP_TRANSPORT_COUNT ? t : SIP_TRANSPORT_NONE];
}

enum sip_transport sip_transport_of(struct sv text)
{
	for (int t = SIP_TRANSPORT_NONE + 1; t < SIP_TRANSPORT_COUNT; t++)
		if (sv_isi(text, transports[t].token))
			return (enum sip_transport)t;
	return SIP_TRANSPORT_NONE;
}

const char *sip_transport_name(enum sip_transport t)
{
	return sip_transport_facts(t)->token;
}

bool sip_transport_is_reliable(enum sip_transport t)
{
	return sip_transport_facts(t)->is_reliable;
}

void sip_put_transport(struct buf *b, enum sip_transport t)
{
	if (t != SIP_TRANSPORT_NONE && t != SIP_TRANSPORT_DEFAULT)
		buf_printf(b, ";transport=%s", sip_transport_facts(t)->param);
}

static const struct {
	int code;
	const char *phrase;
} phrases[] = {
    {100, "Trying"},
    {180, "Ringing"},
    {181, "Call Is Being Forwarded"},
    {182, "Queued"},
    {183, "Session Progress"},
    {199, "Early Dialog Terminated"},
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Notification"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Moved Temporarily"},
    {305, "Use Proxy"},
    {380, "Alternative Service"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {410, "Gone"},
    {412, "Conditional Request Failed"},
    {413, "Request Entity Too Large"},
    {414, "Request-URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Unsupported URI Scheme"},
    {417, "Unknown Resource-Priority"},
    {420, "Bad Extension"},
    {421, "Extension Required"},
    {422, "Session Interval Too Small"},
    {423, "Interval Too Brief"},
    {424, "Bad Location Information"},
    {428, "Use Identity Header"},
    {429, "Provide Referrer Identity"},
    {430, "Flow Failed"},
    {433, "Anonymity Disallowed"},
    {436, "Bad Identity-Info"},
    {437, "Unsupported Certificate"},
    {438, "Invalid Identity Header"},
    {439, "First Hop Lacks Outbound Support"},
    {440, "Max-Breadth Exceeded"},
    {469, "Bad Info Package"},
    {470, "Consent Needed"},
    {480, "Temporarily Unavailable"},
    {481, "Call/Transaction Does Not Exist"},
    {482, "Loop Detected"},
    {483, "Too Many Hops"},
    {484, "Address Incomplete"},
    {485, "Ambiguous"},
    {486, "Busy Here"},
    {487, "Request Terminated"},
    {488, "Not Acceptable Here"},
    {489, "Bad Event"},
    {491, "Request Pending"},
    {493, "Undecipherable"},
    {494, "Security Agreement Required"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Time-out"},
    {505, "Version Not Supported"},
    {513, "Message Too Large"},
    {580, "Precondition Failure"},
    {600, "Busy Everywhere"},
    {603, "Decline"},
    {604, "Does Not Exist Anywhere"},
    {606, "Not Acceptable"},
    {607, "Unwanted"},
    {608, "Rejected"},
};

const char *sip_reason_phrase(int code)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].code == code)
			return phrases[i].phrase;
	return "Unknown";
}
