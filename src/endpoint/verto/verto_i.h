/* mod_verto: browsers that speak JSON-RPC over (secure) WebSocket, with WebRTC media.
 *
 *   tls/tcp -> ws -> line (conn.c) -> rpc.c: {"method": ...} -> login.c | call.c | channel.c
 *                                       ^-- replies, and our own requests, in order
 *   call.c: verto.invite, answer, bye, modify, info <-> the leg's endpoint operations
 *   channel.c: verto.subscribe, broadcast -> verto.event (conferences' liveArray, chat, what programs tell)
 *
 * A client is a session (sessid) of a user; when its connection breaks, its calls wait a while for it to come back.
 * What a client writes is from outside: names and numbers are data, commands run only by the user's permissions. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "loop/loop.h"
#include "net/conn_limit.h"
#include "net/tls.h"
#include "net/ws.h"
#include "text/json.h"

struct http_reader;
struct leg;
enum { VERTO_BINDS_MAX = 8, VERTO_MESSAGE_MAX = 256 << 10, VERTO_SESSID_CHARS = 64, VERTO_SUBS_MAX = 200 };

struct verto_bind {
	struct tls_listener *listener;
	struct tls_ctx *ctx;
	char name[ADDR_TEXT_MAX];
	bool is_secure;
	struct verto_profile *profile;
};
struct verto_profile {
	struct verto_profile *next;
	char *name, *rtp_host, *advertise_host, *inbound_codecs, *outbound_codecs, *context, *dialplan, *force_domain,
	    *candidate_acl, *local_acl, *jitterbuffer;
	bool wants_password, is_blind, is_domain_chopped;
	unsigned bind_count;
	struct verto_bind binds[VERTO_BINDS_MAX];
};
struct verto_sub { /* a client's subscription */
	struct lnode link;
	char *channel;
	uint64_t serial;
};
struct verto_line { /* counted: a connection */
	struct lnode link;
	struct verto_profile *profile; /* borrowed: lines go before it */
	struct tls_conn *tls;          /* a reference; NULL once it is over */
	struct http_reader *http;
	struct ws *ws;
	struct conn_guard guard;
	struct ltimer ping, ready;
	int64_t heard_us;
	bool is_over, is_in_ws, is_secure, is_authed, is_logging_in;
	char peer[ADDR_TEXT_MAX];
	struct addr addr;
	/* of the session */
	char sessid[VERTO_SESSID_CHARS + 1];
	char *user, *domain;                      /* who logged in; NULL before */
	char *methods, *channels, *jsapi, *fsapi; /* what he may: lists of the directory's parameters; NULL: nothing */
	char *context, *dialplan;
	json_t *user_vars;
	struct list subs;
	struct list grants; /* rooms that it is in: their channels are open to it */
};
extern struct list verto_lines;
extern struct verto_profile *verto_profiles;

/* conn.c */
ON_CTL int verto_conn_start(void);
ON_CTL void verto_conn_stop(void);
ON_CTL int verto_bind_open(struct verto_profile *p, const char *address, const struct tls_conf *tls);
ON_CTL void verto_bind_close(struct verto_bind *b);
ON_CTL void verto_line_send(struct verto_line *l, struct sv text);
ON_CTL void verto_line_end(struct verto_line *l, uint16_t code, const char *reason);
ON_CTL void verto_line_trust(struct verto_line *l);

/* rpc.c */
ON_CTL void verto_rpc_message(struct verto_line *l, struct sv text);
/* An answer: result or error is opened by begin, filled by the caller, closed and sent by end. */
struct verto_out {
	struct buf text;
	struct json_writer w;
	struct verto_line *line;
};
ON_CTL void verto_reply_begin(struct verto_out *o, struct verto_line *l, const json_t *id, bool is_error);
ON_CTL void verto_reply_end(struct verto_out *o, bool has_sessid);
ON_CTL void verto_reply_text(struct verto_line *l, const json_t *id, bool is_error, const char *message, int code);
/* A request of ours: params is open between the two. */
ON_CTL void verto_request_begin(struct verto_out *o, struct verto_line *l, const char *method);
ON_CTL void verto_request_end(struct verto_out *o);
ANY const char *verto_text(const json_t *object, const char *key); /* "" where there is none */

/* login.c */
ON_CTL int verto_login_start(void);
ON_CTL void verto_login_stop(void);
ON_CTL void verto_login(struct verto_line *l, const json_t *params, const json_t *id);
/* NULL: that session is not here. */
ON_CTL struct verto_line *verto_line_of(const char *sessid);

/* request.c. True: the method is one of them. */
ON_CTL bool verto_call_request(struct verto_line *l, const char *method, const json_t *params, const json_t *id);

/* call.c */
ON_CTL void verto_calls_detach(struct verto_line *l); /* its connection is gone */
/* The calls of the session that waited for it are its again: their uuids into the open array. */
ON_CTL void verto_calls_attach(struct verto_line *l, struct json_writer *w);
ON_CTL size_t verto_call_count(void);
struct endpoint_ops;
extern const struct endpoint_ops verto_ops;
ON_CTL int verto_calls_start(void);
ON_CTL void verto_calls_stop(void);
ON_CTL struct leg *verto_leg_of(struct verto_line *l, const char *call_id); /* only of this session */

/* The connection of whoever has the call; NULL: no browser's call, or nobody is there. */
ON_CTL struct verto_line *verto_line_of_call(const char *uuid);

/* channel.c */
ON_CTL bool verto_channel_request(struct verto_line *l, const char *method, const json_t *params, const json_t *id);
ON_CTL void verto_subs_free(struct verto_line *l);
ON_CTL int verto_channel_start(void);
ON_CTL void verto_channel_stop(void);

/* data: one JSON value. To each who subscribed to the channel. */
ON_CTL void verto_event_send(const char *channel, struct sv data);

/* control.c: data is {"application": "conf-control", "command", "id", "value"} of a moderator of the room. */
ON_CTL void verto_control(const struct verto_line *l, const char *room, const char *channel, const json_t *data);

/* module.c */
ON_CTL const char *verto_param(const char *name);
struct api_call;
int api_verto(struct api_call *c);
int api_verto_contact(struct api_call *c);
