"""Many clips: a folder of runs with a state that survives whoever works on it, and a table of them all.

    DIR/NAME/                  the run folder of each clip
    DIR/summary.csv, .html     one row a clip, with quality numbers and a thumbnail
    DIR/.batch/NAME.job        what is to be done
    DIR/.batch/NAME.record     how it ended
    DIR/.batch/NAME.KEY.claim.1, .2 ...   who is at it: a claim is created exclusively, and the highest number holds

Everything that workers need to agree on is in these files, so that they may be processes, machines or a Dask cluster, and
any of them, the one that submitted included, may go away.
"""
