/* Inside the room. */
#pragma once
#include "core/conf/config.h"
#include "mail/mail.h"

enum { MAIL_ADDRESS_MAX = 254, MAIL_ATTACH_MAX = 64 << 20, MAIL_QUEUE_MAX = 100000, MAIL_RCPTS_MAX = 50 };

/* ---- composing (compose.c): pure ---- */
/* An address of an envelope: no blanks, controls, "<>", and no option of a program. */
ANY bool mail_is_address(struct sv a);
struct mail_parts {
	const char *headers, *body; /* with marks */
	const char *date, *message_id, *boundary;
	bool has_attachment;
};
/* The message up to where an attachment's part, or the end (mail_end_put), follows. Lines end with LF. */
ANY int mail_head_put(struct buf *out, const struct mail_parts *p);
ANY int mail_attachment_head_put(struct buf *out, const char *boundary, const char *name);
ANY int mail_end_put(struct buf *out, const char *boundary);
/* A header's value: controls away, words that are not ASCII as RFC 2047 has them, folded. is_address: quotes and angle
 * brackets from outside are no syntax. */
ANY int mail_header_put(struct buf *out, struct sv name, struct sv value);
/* Base64 in lines of 76. */
ANY int mail_base64_put(struct buf *out, struct sv bytes);

/* ---- settings ---- */
struct mail_conf {
	char *host, *user, *password, *helo, *ca_file, *app, *app_args; /* never NULL */
	unsigned port, retry_s, retry_max_s, keep_days;
	enum { MAIL_TLS_NONE, MAIL_TLS_STARTTLS, MAIL_TLS_WHOLE } tls;
	bool skips_verify;
};
ON_CTL int mail_conf_read(struct mail_conf *out); /* of the configuration as it is now */
ON_CTL void mail_conf_fini(struct mail_conf *c);

/* ---- sending ---- */
struct mail_envelope {
	char *id, *from, *to, *error; /* owned; error: of the last try, or NULL */
	int64_t created_s, next_s;    /* wall clock */
	unsigned tries;
};
/* One try. why gets what the server or program said. */
CO int mail_smtp_try(const struct mail_conf *c, const struct mail_envelope *e, const char *file, struct buf *why);
CO int mail_app_try(const struct mail_conf *c, const struct mail_envelope *e, const char *file, struct buf *why);

ON_CTL int mail_queue_start(void);
ON_CTL int mail_queue_stop(void);   /* ST_BUSY: a message is under way; nothing has changed */
ON_CTL void mail_queue_flush(void); /* all are due now */
ON_CTL void mail_queue_status(struct buf *out);
ON_CTL size_t mail_queue_count(void);
