"""gdb helper: lists the coroutines of a running Tandem (or of its core file), and shows where each one waits.

    (gdb) source tools/gdb-co.py
    (gdb) info coroutines          name, state and stack pointer of each
    (gdb) coroutine bt NUMBER      the backtrace of a suspended one (x86-64)

Reads live_cos of src/loop/co.c. A suspended coroutine's registers are on its stack in the order co_switch.c pushes them.
The backtrace changes registers for its duration: of a running process only, not of a core file; there, look at the
saved addresses that are printed instead.
"""
import gdb

SAVED = ("r15", "r14", "r13", "r12", "rbx", "rbp", "rip")


def coroutines():
    """Every live coroutine, the oldest first."""
    co_type = gdb.lookup_type("struct co")
    pointer = co_type.pointer()
    offset = next(f.bitpos // 8 for f in co_type.fields() if f.name == "link")
    head = gdb.lookup_static_symbol("live_cos").value()["head"]
    node = head["next"]
    while int(node) != int(head.address):
        yield gdb.Value(int(node) - offset).cast(pointer)
        node = node["next"]


def saved_registers(co):
    word = gdb.lookup_type("unsigned long").pointer()
    sp = co["context"]["sp"].cast(word)
    registers = {name: int(sp[i]) for i, name in enumerate(SAVED)}
    registers["rsp"] = int(sp) + 8 * len(SAVED)
    return registers


class InfoCoroutines(gdb.Command):
    """List the live coroutines."""

    def __init__(self):
        super().__init__("info coroutines", gdb.COMMAND_STATUS)

    def invoke(self, arg, from_tty):
        for number, co in enumerate(coroutines(), 1):
            state = "running" if co["is_running"] else "waits"
            where = ""
            if state == "waits":
                at = saved_registers(co)["rip"]
                where = f" at {gdb.Value(at).cast(gdb.lookup_type('void').pointer())}"
            print(f"{number:5} {co['name'].string():24} {state:8} {int(co):#x}{where}")


class Coroutine(gdb.Command):
    """coroutine bt NUMBER: the backtrace of a suspended coroutine."""

    def __init__(self):
        super().__init__("coroutine", gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        words = arg.split()
        if len(words) != 2 or words[0] != "bt" or not words[1].isdigit():
            raise gdb.GdbError("usage: coroutine bt NUMBER")
        found = list(coroutines())
        number = int(words[1])
        if not 1 <= number <= len(found):
            raise gdb.GdbError(f"there are {len(found)} coroutines")
        co = found[number - 1]
        if co["is_running"]:
            raise gdb.GdbError("it is running: use bt")
        gdb.newest_frame().select()
        saved = saved_registers(co)
        before = {name: int(gdb.parse_and_eval(f"(unsigned long)${name}")) for name in saved}
        try:
            for name, value in saved.items():
                gdb.execute(f"set ${name} = {value}")
            gdb.execute("bt")
        finally:
            for name, value in before.items():
                gdb.execute(f"set ${name} = {value}")


InfoCoroutines()
Coroutine()
