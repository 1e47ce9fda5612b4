"""Effects: run jobs on workers, keep their results, resume. Numbers go in, part files come out.

train_study       a study from plan to stored measurements
scheduling        its jobs: handed out, followed, run again
worker_pools      worker processes on this machine; cluster: on Dask and Slurm
handover          what passes between the two sides
worker            one job in one worker
run_batch         runs that one call advances, from record to record
loading           what a job needs: data, functions
compiled          compiled programs kept on disk
cache_folder      where those lie, and which files there are used
checkpoint        a run batch in the middle of its training, on disk
records           from a run's records to its row of a part
environment       what is pinned of a process, and recorded
store             a study's folder: parts, manifest; frames: what is read from them
data_copies       the data files that a folder brings along
merging           folders of one study become one; agreeing: their runs, joined_sources: their files
control           a running study: lock, progress, heartbeats, stop
how_far           its progress in words, and as one line
files             files that appear whole or not at all
network           a run's network to take away
"""
