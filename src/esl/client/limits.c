/* The settings that clients go by, and the bounds for those that have not logged in. */
#include "esl/client/client.h"

enum { STRANGERS_MAX_BYTES = 32 << 20 };

struct esl_conf esl_conf;
struct conn_limit *esl_limit;
struct login_delay *esl_login_delay;

int esl_limits_open(void)
{
	struct conn_limit_conf conf = {.name = "Event socket",
	    .max_count = esl_conf.max_clients,
	    .max_count_per_host = esl_conf.max_clients_per_host,
	    .max_bytes = STRANGERS_MAX_BYTES,
	    .max_bytes_per_host = STRANGERS_MAX_BYTES / 8,
	    .first_us = esl_conf.first_us,
	    .message_us = esl_conf.first_us,
	    .is_trusted_free = true};
	int st = conn_limit_new(&esl_limit, &conf);
	return st ? st : login_delay_new(&esl_login_delay);
}

void esl_limits_close(void)
{
	conn_limit_free(esl_limit);
	login_delay_free(esl_login_delay);
	esl_limit = NULL;
	esl_login_delay = NULL;
}
