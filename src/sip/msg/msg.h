/* SIP messages: one datagram or framed stream message becomes a struct sip_msg of views into the buffer it came in; and
 * the pieces inside headers (URIs, name-addrs, Via, parameters) are parsed on demand by the functions below. Pure: no
 * I/O, no clock; nothing is allocated on the parse path. Every view is valid as long as the text it points into.
 * RFC 3261 section 25 grammar, compact names, folding, RFC 3581 rport. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

#define SIP_MSG_HDRS_MAX 128         /* header lines; more is a parse error */
#define SIP_MSG_HEAD_MAX_BYTES 65536 /* start line and headers */

enum sip_method {
	SIP_NO_METHOD, /* a token that is none of those below; its text is in method_text */
	SIP_INVITE,
	SIP_ACK,
	SIP_BYE,
	SIP_CANCEL,
	SIP_OPTIONS,
	SIP_REGISTER,
	SIP_INFO,
	SIP_UPDATE,
	SIP_PRACK,
	SIP_SUBSCRIBE,
	SIP_NOTIFY,
	SIP_REFER,
	SIP_MESSAGE,
	SIP_PUBLISH,
	SIP_METHOD_COUNT
};
ANY enum sip_method sip_method_of(struct sv text);  /* case-sensitive, RFC 3261 7.1 */
ANY const char *sip_method_name(enum sip_method m); /* "INVITE"; "" for SIP_NO_METHOD */

/* Header fields the parser knows by name, full or compact. */
enum sip_hdr_id {
	SIP_HDR_OTHER,
	SIP_HDR_VIA,
	SIP_HDR_FROM,
	SIP_HDR_TO,
	SIP_HDR_CALL_ID,
	SIP_HDR_CSEQ,
	SIP_HDR_CONTACT,
	SIP_HDR_MAX_FORWARDS,
	SIP_HDR_CONTENT_LENGTH,
	SIP_HDR_CONTENT_TYPE,
	SIP_HDR_ROUTE,
	SIP_HDR_RECORD_ROUTE,
	SIP_HDR_EXPIRES,
	SIP_HDR_AUTHORIZATION,
	SIP_HDR_PROXY_AUTHORIZATION,
	SIP_HDR_WWW_AUTHENTICATE,
	SIP_HDR_PROXY_AUTHENTICATE,
	SIP_HDR_USER_AGENT,
	SIP_HDR_SERVER,
	SIP_HDR_ALLOW,
	SIP_HDR_SUPPORTED,
	SIP_HDR_REQUIRE,
	SIP_HDR_PROXY_REQUIRE,
	SIP_HDR_UNSUPPORTED,
	SIP_HDR_REASON,
	SIP_HDR_RETRY_AFTER,
	SIP_HDR_MIN_EXPIRES,
	SIP_HDR_EVENT,
	SIP_HDR_ALLOW_EVENTS,
	SIP_HDR_SUBSCRIPTION_STATE,
	SIP_HDR_REFER_TO,
	SIP_HDR_REFERRED_BY,
	SIP_HDR_REPLACES,
	SIP_HDR_SUBJECT,
	SIP_HDR_CONTENT_ENCODING,
	SIP_HDR_CONTENT_DISPOSITION,
	SIP_HDR_ACCEPT,
	SIP_HDR_DATE,
	SIP_HDR_SESSION_EXPIRES,
	SIP_HDR_MIN_SE,
	SIP_HDR_RSEQ,
	SIP_HDR_RACK,
	SIP_HDR_PATH,
	SIP_HDR_SERVICE_ROUTE,
	SIP_HDR_P_ASSERTED_IDENTITY,
	SIP_HDR_P_PREFERRED_IDENTITY,
	SIP_HDR_REMOTE_PARTY_ID,
	SIP_HDR_PRIVACY,
	SIP_HDR_DIVERSION,
	SIP_HDR_ALERT_INFO,
	SIP_HDR_CALL_INFO,
	SIP_HDR_WARNING,
	SIP_HDR_TIMESTAMP,
	SIP_HDR_MIME_VERSION,
	SIP_HDR_HISTORY_INFO,
	SIP_HDR_COUNT
};
ANY enum sip_hdr_id sip_hdr_id_of(struct sv name); /* case-insensitive; compact forms too */
ANY const char *sip_hdr_name(enum sip_hdr_id id);  /* "Call-ID"; "" for SIP_HDR_OTHER */

/* ---- URIs ---- */
enum sip_scheme { SIP_SCHEME_NONE, SIP_SCHEME_SIP, SIP_SCHEME_SIPS, SIP_SCHEME_TEL, SIP_SCHEME_OTHER };
enum sip_transport { SIP_TRANSPORT_NONE, SIP_UDP, SIP_TCP, SIP_TLS, SIP_WS, SIP_WSS, SIP_TRANSPORT_COUNT };
#define SIP_TRANSPORT_DEFAULT SIP_UDP /* what a sip: URI without transport parameter means */
/* What the RFCs say of each; whether we have it is the stack's affair (sip/transport_i.h). */
struct sip_transport_facts {
	const char *token;     /* in Via: "UDP" */
	const char *param;     /* in transport=: "udp" */
	uint16_t default_port; /* 5060 (RFC 3261 19.1.2), 5061; 80 and 443 (RFC 7118 section 6) */
	bool is_reliable;      /* nothing is sent again, and the source address is proved */
};
ANY const struct sip_transport_facts *sip_transport_facts(enum sip_transport t); /* never NULL */
ANY enum sip_transport sip_transport_of(struct sv text);  /* case-insensitive; SIP_TRANSPORT_NONE when unknown */
ANY const char *sip_transport_name(enum sip_transport t); /* "UDP" as in Via; "" for none */
ANY bool sip_transport_is_reliable(enum sip_transport t);
/* ";transport=tcp" for an address of ours or of whoever came over t; nothing for the default. Appends. */
ANY void sip_put_transport(struct buf *b, enum sip_transport t);

struct sip_uri {
	struct sv text; /* all of it, without angle brackets */
	struct sv user; /* escaped as it came; of tel: the number */
	struct sv password;
	struct sv host;    /* IPv6 without its brackets */
	struct sv params;  /* "transport=tcp;lr", no leading ';' */
	struct sv headers; /* "a=b&c=d", no leading '?' */
	uint16_t port;     /* 0 = absent */
	uint8_t scheme;    /* enum sip_scheme */
	bool is_ipv6;
};
/* ST_PARSE for what RFC 3261 25.1 forbids in sip, sips and tel; other schemes give SIP_SCHEME_OTHER and only text. */
ANY int sip_uri_parse(struct sip_uri *out, struct sv text);
/* A uri parameter: true when present; *value (may be NULL) is empty when it has none. Names are case-insensitive. */
ANY bool sip_uri_param(const struct sip_uri *u, const char *name, struct sv *value);
/* transport= parameter, SIP_TRANSPORT_NONE when absent or unknown. */
ANY enum sip_transport sip_uri_transport(const struct sip_uri *u);
/* Equality by RFC 3261 19.1.4. */
ANY bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b);
/* Appends with %XX undone / with everything outside RFC 3261's user set escaped. */
ANY int sip_unescape(struct buf *out, struct sv text);
ANY int sip_escape_user(struct buf *out, struct sv text);

/* ---- parameters: ";a=b;c;d="x"" and ", "-separated Digest lists ---- */
struct sip_params_it {
	struct sv rest;
	struct sv name, value; /* value without its quotes, escapes kept; empty when there is none */
	bool has_value, is_quoted;
};
/* struct sip_params_it it = { .rest = params }; while (sip_params_next(&it, ';')) ...  sep is ';' or ','. */
ANY bool sip_params_next(struct sip_params_it *it, char sep);
ANY bool sip_param_get(struct sv params, char sep, const char *name, struct sv *value /* may be NULL */);

/* ---- name-addr / addr-spec with header parameters: From, To, Contact, Route, Refer-To ... ---- */
struct sip_nameaddr {
	struct sv text;    /* all of this list element */
	struct sv display; /* without quotes, escapes kept (sip_unquote undoes them) */
	struct sip_uri uri;
	struct sv params; /* after the uri: "tag=x;q=0.5", no leading ';' */
	bool is_star;     /* Contact: * */
	bool has_brackets;
};
ANY int sip_nameaddr_parse(struct sip_nameaddr *out, struct sv text);
ANY int sip_unquote(struct buf *out, struct sv text); /* undoes quoted-pair */
/* Contact's q in thousandths (1000 when absent or broken) and expires in seconds (-1 when absent or broken). */
ANY int sip_nameaddr_q_milli(const struct sip_nameaddr *na);
ANY int64_t sip_nameaddr_expires_s(const struct sip_nameaddr *na);

/* ---- Via ---- */
struct sip_via {
	struct sv text;     /* this one list element */
	struct sv protocol; /* "UDP" as written */
	struct sv host;     /* IPv6 without brackets */
	struct sv params, branch, received, maddr;
	uint16_t port;     /* 0 = absent */
	uint16_t rport;    /* 0 = absent or without value */
	uint8_t transport; /* enum sip_transport */
	bool has_rport, is_ipv6;
};
ANY int sip_via_parse(struct sip_via *out, struct sv text);

/* ---- messages ---- */
struct sip_hdr {
	struct sv name, value; /* value trimmed; may hold folds (CRLF and blanks) unless unfolded beforehand */
	uint8_t id;            /* enum sip_hdr_id */
	uint8_t next;          /* 1 + index of the next header with the same known id; 0 = none */
};
struct sip_msg {
	struct sv raw; /* start line to the end of the body */
	struct sv body;
	bool is_request;
	bool has_folds;
	bool has_content_length;
	uint8_t method;        /* enum sip_method: the request's, or of a response its CSeq's */
	uint16_t code;         /* of a response */
	struct sv method_text; /* of a request; of a response the CSeq's */
	struct sv reason;      /* of a response */
	struct sip_uri ruri;   /* of a request */
	struct sv call_id;
	struct sip_nameaddr from, to;
	struct sv from_tag, to_tag; /* empty = none */
	struct sip_via via;         /* the topmost */
	uint32_t cseq;
	int max_forwards;       /* -1 = absent */
	int64_t expires_s;      /* Expires header, -1 = absent or broken */
	struct sv content_type; /* empty = none */
	struct sv sdp;          /* the session description: the body, or the part of it that is one; empty = none */
	bool has_unknown_body;  /* it has none, and a body that must be understood (RFC 3261 8.2.3): 415 */
	const char *error;      /* when parsing failed: the reason, fit for a 400's phrase; else NULL */
	uint16_t error_code;    /* then 400, or 505 */
	bool is_answerable;     /* when parsing failed: a request with a Via, which like From, To, Call-ID and
	                         * CSeq may be unsound: the answer repeats them as they came (RFC 4475 3.1.2, 3.3.1) */
	uint8_t hdr_count;
	uint8_t first[SIP_HDR_COUNT]; /* 1 + index of the first header of that id; 0 = none */
	struct sip_hdr *hdrs;
};

enum {
	SIP_PARSE_STREAM = 1, /* a framed stream message: Content-Length is required and must be exact */
};
/* Parses n bytes into *m with hdrs (room for hdrs_max <= SIP_MSG_HDRS_MAX entries) as its index. UDP: a body shorter
 * than Content-Length is an error, bytes beyond it are ignored. Missing or doubled singleton headers, a CSeq method
 * that differs, a bad URI and so on are ST_PARSE with m->error set and what could be read filled in. */
ANY int sip_msg_parse(
    struct sip_msg *m, struct sip_hdr *hdrs, size_t hdrs_max, const char *p, size_t n, unsigned flags);
/* Replaces folds in the head of a message by blanks, in place (the length stays). */
ANY void sip_msg_unfold(char *p, size_t n);
/* A counted copy (mem_ref/mem_unref) that owns its text. NULL when out of memory or m did not parse. */
ANY struct sip_msg *sip_msg_dup(const struct sip_msg *m);
/* As sip_msg_dup without the body. */
ANY struct sip_msg *sip_msg_dup_head(const struct sip_msg *m);

/* First header of that id, NULL when absent; the next one of the same id. */
ANY const struct sip_hdr *sip_msg_hdr(const struct sip_msg *m, enum sip_hdr_id id);
ANY const struct sip_hdr *sip_msg_hdr_next(const struct sip_msg *m, const struct sip_hdr *h);
ANY struct sv sip_msg_value(const struct sip_msg *m, enum sip_hdr_id id); /* of the first; empty when absent */
/* By any name (known ones by their compact form too); empty when absent. */
ANY struct sv sip_msg_value_named(const struct sip_msg *m, const char *name);
/* Elements of comma-separated headers across all lines of that id, in order; quotes, <> and comments respected:
 * struct sip_list_it it; sip_list_start(&it, m, SIP_HDR_CONTACT); while (sip_list_next(&it)) use(it.item);
 * It ends at the first element that is not well-formed, with it.is_bad set. */
struct sip_list_it {
	const struct sip_msg *m;
	const struct sip_hdr *h;
	struct sv rest, item;
	bool is_bad;
};
ANY void sip_list_start(struct sip_list_it *it, const struct sip_msg *m, enum sip_hdr_id id);
ANY bool sip_list_next(struct sip_list_it *it);
/* The same over one value. */
ANY void sip_list_start_value(struct sip_list_it *it, struct sv value);
/* True when the comma list of tokens in id's headers holds token (Allow, Supported, Require ...). */
ANY bool sip_msg_has_token(const struct sip_msg *m, enum sip_hdr_id id, const char *token);
/* First and, when there are several, next Contact parsed; ST_NOTFOUND when there is none. */
ANY int sip_msg_contact(const struct sip_msg *m, struct sip_nameaddr *out);

/* ---- bodies of several parts ---- */
struct sip_part {
	struct sv ctype, disposition; /* header values; disposition may be empty */
	struct sv bytes;
	const char *lines; /* further header lines of one that is built; NULL = none */
};
/* The first part of that media type, or the body itself when it is of that type; views into m. Encoded ones (base64 and
 * the like) are not looked at. */
ANY bool sip_body_part(const struct sip_msg *m, const char *type, struct sip_part *out);
/* Each part of a multipart body, at any level, that is neither a session description nor encoded; views into m. */
typedef void (*sip_part_fn)(const struct sip_part *part, void *arg);
ANY void sip_body_each(const struct sip_msg *m, sip_part_fn fn, void *arg);

/* ---- credentials and challenges ---- */
struct sip_auth {                                              /* WWW-/Proxy-Authenticate and (Proxy-)Authorization */
	struct sv scheme;                                      /* "Digest" */
	struct sv realm, nonce, opaque, algorithm, qop, stale; /* challenge and answer */
	struct sv username, uri, response, cnonce, nc;         /* answer */
};
/* ST_UNSUPPORTED for another scheme than Digest (scheme is filled in), ST_PARSE for broken lists or doubled parameters.
 * Values are without quotes. */
ANY int sip_auth_parse(struct sip_auth *out, struct sv value);

/* ---- streams ---- */
struct sip_frame {
	size_t skip;  /* keep-alive bytes (CRLF CRLF, RFC 5626) before the message: drop them */
	size_t size;  /* of the message after skip; 0 = more bytes are needed */
	bool is_ping; /* skip held a double CRLF while nothing follows: answer one CRLF */
};
/* What is known of the message that is still coming, so that no byte is looked at twice. Zero at a stream's begin. */
struct sip_framer {
	size_t scanned_bytes; /* of its head */
	size_t head_bytes;    /* 0 = the end of the head has not come */
	size_t body_bytes;
	unsigned line_count;
};
/* Looks for one message at the start of what a stream delivered and the caller has not yet dropped (skip and size of
 * the call before). ST_PARSE (and *why) when the stream cannot be followed any more: no Content-Length, a bad one, a
 * head over SIP_MSG_HEAD_MAX_BYTES or of over SIP_FRAME_LINES_MAX lines, or a body over max_body_bytes. */
#define SIP_FRAME_LINES_MAX 512
ANY int sip_frame_next(
    struct sip_framer *f, struct sip_frame *out, const char *p, size_t n, size_t max_body_bytes, const char **why);

/* ---- building ---- */
/* All append to b and never fail but by b->failed. Control bytes (but the tabulator) are written as blanks. */
ANY void sip_put_clean(struct buf *b, struct sv v); /* v so, and nothing else */
ANY void sip_put_request_line(struct buf *b, struct sv method, struct sv uri);
ANY void sip_put_status_line(struct buf *b, int code, struct sv reason /* empty = the standard phrase */);
ANY void sip_put_hdr(struct buf *b, const char *name, struct sv value);
ANY void sip_put_hdr_u32(struct buf *b, const char *name, uint32_t value);
/* Copies whole "Name: value\r\n" lines; lines that are not of that form are left out, a missing last CRLF is added. */
ANY void sip_put_lines(struct buf *b, const char *lines /* NULL = none */);
/* "display" <uri> with the display quoted where needed; of uri what is in no URI, and <>", goes as %XX. */
ANY void sip_put_nameaddr(struct buf *b, struct sv display, struct sv uri);
ANY void sip_put_quoted(struct buf *b, struct sv text);
/* Content-Type (when ctype and body are not empty), Content-Length, the empty line and the body. */
ANY void sip_put_body(struct buf *b, struct sv ctype, struct sv body);
/* A multipart/mixed body of a session description (empty = none) and other parts; its Content-Type is appended to
 * ctype.
 */
ANY void sip_put_multipart(
    struct buf *ctype, struct buf *body, struct sv sdp, const struct sip_part *parts, size_t count);
ANY const char *sip_reason_phrase(int code); /* "Ringing"; "Unknown" when none is standard */
/* True when text is one token (RFC 3261 25.1) / is safe as a header value (no control byte but the tabulator). */
ANY bool sip_is_token(struct sv text);
ANY bool sip_is_value(struct sv text);
/* The same for what is put into larger texts: host[:port] (IPv6 in brackets); "a=b;c" behind an address inside its
 * brackets; the same outside of them; one or more name-addrs. Each is the whole text, which is not empty. */
ANY bool sip_is_host(struct sv text);
ANY bool sip_is_uri_params(struct sv text);
ANY bool sip_is_hdr_params(struct sv text);
ANY bool sip_is_nameaddr_list(struct sv text);
