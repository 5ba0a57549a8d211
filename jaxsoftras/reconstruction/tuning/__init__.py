"""Search for the fields of a configuration that reconstruct best: ``jaxsoftras tune``.

Modules of this package:

* ``space``: the fields that are searched, from text; ``plan``: with the configuration
  and the length of the trials, what all processes of a search agree on.
* ``journal``, ``search``, ``sampler``: trials that processes share, by optuna.
* ``programs``, ``trial``: one trial after another, with few compilations.
* ``results``, ``formats``, ``display``: the trials and the best one, for people and
  programs. `jaxsoftras.report.search` draws them.
* ``run``: a whole search, and the command line. It may be imported without optuna,
  which it names if it is missing.
"""
