/* Netlink, one question and one answer a socket: what is asked here is asked rarely. */
#include "media/rt/kernel_ask.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void *ask_begin(struct kernel_ask *q, unsigned short type, size_t bytes)
{
	memset(q->bytes, 0, NLMSG_SPACE(bytes));
	q->h = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(bytes), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST};
	return NLMSG_DATA(&q->h);
}

void ask_attr(struct kernel_ask *q, unsigned short type, const void *value, size_t bytes)
{
	struct nlattr *a = (struct nlattr *)(q->bytes + NLMSG_ALIGN(q->h.nlmsg_len));
	*a = (struct nlattr){.nla_type = type, .nla_len = (unsigned short)(NLA_HDRLEN + bytes)};
	memcpy((char *)a + NLA_HDRLEN, value, bytes);
	q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + NLA_ALIGN(a->nla_len);
}

bool ask_exchange(struct kernel_ask *q, int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return false;
	ssize_t n = send(fd, q->bytes, q->h.nlmsg_len, MSG_DONTWAIT);
	if (n > 0)
		n = recv(fd, q->bytes, sizeof(q->bytes), MSG_DONTWAIT);
	close(fd);
	q->answer_bytes = n > 0 ? (size_t)n : 0;
	return NLMSG_OK(&q->h, q->answer_bytes) && q->h.nlmsg_type != NLMSG_ERROR;
}

const void *ask_find(const struct kernel_ask *q, size_t bytes, unsigned short type, size_t min)
{
	for (size_t at = NLMSG_SPACE(bytes); at + NLA_HDRLEN <= q->h.nlmsg_len;) {
		const struct nlattr *a = (const struct nlattr *)(q->bytes + at);
		if (a->nla_len < NLA_HDRLEN || at + a->nla_len > q->h.nlmsg_len)
			break;
		if ((a->nla_type & NLA_TYPE_MASK) == type && a->nla_len >= NLA_HDRLEN + min)
			return (const char *)a + NLA_HDRLEN;
		at += NLA_ALIGN(a->nla_len);
	}
	return NULL;
}
