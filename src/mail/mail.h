/* Mail that the switch sends: composed of a template's text and perhaps a file, put into a queue on the disk, and sent
 * from there by SMTP or by a program like sendmail, again and again until it is taken or too old.
 *
 *   mail_send -> compose.c -> worker: queue/ID.eml, then queue/ID.env      -> taken: both go
 *                                   queue.c, one at a time -> smtp.c | sendmail -> refused: later (ID.env says when)
 *                                                                             -> too old: dead/
 */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct mail_message {
	const char *from; /* envelope: one address */
	const char *to;   /* envelope: addresses, commas between them; each gets a message of its own */
	/* Texts with marks (text/mark.h): what is from outside cannot end a line, a header or a part. */
	const char *headers;     /* lines "Name: value" */
	const char *body;        /* text, or, when it begins with "Content-Type:", a part with headers of its own */
	const char *attach_path; /* NULL: none; read now */
	const char *attach_name; /* what the reader's program calls it */
};
/* ST_OK: it is on the disk, synced. ST_INVAL: an address is none (logged); ST_NOTFOUND: the file; ST_FULL: the queue or
 * the disk; ST_LIMIT: the file is over 64 MiB. */
CO int mail_send(const struct mail_message *m);
