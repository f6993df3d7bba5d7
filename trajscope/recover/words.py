"""The words by which a description is read: what changes, what stands, what counts, what was measured."""

from __future__ import annotations


def _set(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


# From which on a text speaks of what stands, of why, or of what came out.
SAYS = _set("may can could should would will might")  # then it argues
AFTER = SAYS | _set(
    "vs versus than after instead because since compared unchanged keeping despite with on at via so but while where",
    "which when if same already replacing",
)
ONLY = _set("changing varying change vary")
WHERE = _set("on to for in")
# At the beginning of a clause: what follows is no change.
STANDS = _set("keep keeping hold holding stay use using at given on fix fixed")
# Words of a whole text that changes nothing of what runs.
LOOKS = _set("re-read reread review reviewed audit inspect diagnose analyse analyze profile abandon abandoned")
RERUN = _set("rerun re-run relaunch retry repeat")  # of what was tried before
MAKE = _set(
    "set raise raised raising increase increased increasing lower lowered lowering reduce reduced reducing decrease",
    "decreased decreasing change changed changing bump drop dropped cut halve halving double doubled doubling shrink",
    "widen extend shorten switch switched switching move scale adjust tune try test testing use using make replace",
    "grow push tighten loosen add added adding combine combined linearly then also now and both with sweep continue",
    "run isolate retest re-test revert restore slightly further even pair rename renamed plus",
)
# What is said of a change behind the name of its knob.
BEHIND = _set(
    "sweep upward upwards downward downwards up down reduced reduction raised lowered increased decreased halved",
    "doubled shortened widened change changed from",
)
ADJECTIVES = _set(
    "higher wider deeper larger bigger longer more smaller shorter fewer less tiny small the a an new only just",
    "current its our default baseline of from by at is be was to best",
)
# What an arrow of words leads to where it tells a consequence.
COMPARED = ADJECTIVES | _set("faster slower better worse stronger weaker softer sharper cheaper cleaner richer lower")
# Words before a number that only number or count something.
COUNTERS = _set(
    "cycle round phase exp experiment experiments run trial trials iteration iter gpu agent version v top last first",
    "only every after before over under about around approx beats beat got gave saves save costs cost takes needs",
    "than by all step at and or with for in of on is was are to from per up down day days",
    "best worst exps row rows pr issue stage part try attempt result results total python cuda",
    "kept triton sglang vllm torch pytorch rtx gtx pro gain loses loss",
)
# No name of a knob ends with one of these.
NO_NAME = _set(
    "not now is are was were has have had gets stays remains differs exceeds reaches reached avg average mean median",
    "initialized initialised fixed uniform coefficients renamed toward towards use uses cap_of",
)
INSIDE = _set("a an the from to into")  # nor holds one of these
# No name of a knob is one of these alone.
BARE = _set("linear cosine fixed uniform constant half full blend new old it this that one")
LEXICON = _set(
    "softcap warmdown warmup batch accum base momentum init temperature temp window k rank dim depth width layers",
    "heads lr wd eps beta beta1 beta2 alpha gamma lambda decay dropout scale hidden head_dim epochs clip clipping",
    "threshold patience lookback horizon stages warps capacity vocab context seq_len min_child_weight n_estimators",
)
# A setting said behind these is what stood.
STOOD = _set(
    "same current currently present retained kept existing unchanged previous original old incumbent winning promoted",
    "earlier shared improved keep keeping hold holding remove removes removed removing disable disabled disabling skip",
    "skipping without abandon abandoning drop dropping replace replaces replacing from rerun relaunch",
)
# Behind these it is what a change was tried under, and says nothing alone.
UNDER = _set("at under for on in")
# Behind these it is proposed again.
AGAIN = (
    (MAKE - STOOD - {"and", "both", "also"})
    | SAYS
    | _set("by to so setting may can could should will would might training train")
)
VARIANTS = _set("variant version setting value point")  # `try a dropout=0.1 variant`
# What is counted: `43 epochs`, `42ep`, `400-restart`.
COUNTED = _set(
    "epoch epochs ep eps layer layers restart restarts head heads expert experts block blocks tree trees warp warps",
    "iter iters iteration iterations pass passes",
)
# What is no count of a setting, though it stands behind a number and a dash: times, sizes, ways to measure.
UNCOUNTED = _set(
    "seed seeds run runs way fold shot hour hours h min mins minute minutes second seconds sec secs s ms us day days",
    "token tokens gpu gpus agent agents config configs best worst point points d x m fps th st nd rd",
)
# A number of these is what came out.
UNITS = _set(
    "tok/s toks/s tok/sec tokens/s tokens/sec it/s steps/s req/s tflops gflops allocs allocations fps rps qps",
)
# And of these where it stands behind a heading.
AMOUNTS = UNITS | _set(
    "ms us \u00b5s \u03bcs ns s sec secs seconds min mins minutes mb gb mib gib kb kib total avg peak tok"
)
