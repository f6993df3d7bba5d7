"""The keep gate: KEEP, REVERT or ABORT after an evaluation, and the numbers behind it.

    gate = keep.Gate(settings)
    gate.start(baseline=seeds, degenerates={"mean shift": values}, ...)
    decision = gate.decide(seeds, ran, measure=measure)

Everything that is missing, not finite or not comparable is an ABORT. Nothing here runs or writes anything.
"""
