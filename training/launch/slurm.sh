#!/bin/bash
# Many nodes under Slurm; what stands behind the run folder goes to training.tune:
#   sbatch --nodes 4 training/launch/slurm.sh training/recipes/qed-nano-sft.yaml runs/qed-nano-sft --set train.micro_batch=1
# The run folder must lie on a disk that all nodes share. Before the time limit the run makes a checkpoint and ends
# (MINUTES, 20 less than --time); the job then asks for itself again, and goes on where it was.
#SBATCH --job-name=tune
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=96
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
recipe=${1:?name a recipe}
out=${2:?name a run folder on a shared disk}
more=$(printf " %q" "${@:3}")
[ $# -gt 2 ] || more=""
gpus=${GPUS_PER_NODE:-8}
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export HF_HUB_OFFLINE=${HF_HUB_OFFLINE:-0} NCCL_ASYNC_ERROR_HANDLING=1

srun --kill-on-bad-exit=1 bash -c "accelerate launch \
  --config_file training/launch/fsdp2-many-nodes.yaml \
  --num_machines $SLURM_NNODES --num_processes $((SLURM_NNODES * gpus)) \
  --machine_rank \$SLURM_NODEID --main_process_ip $head --main_process_port 29500 \
  -m training.tune --recipe '$recipe' --out '$out' --device cuda --minutes ${MINUTES:-700} $more"

[ -f "$out/run.json" ] || scontrol requeue "$SLURM_JOB_ID"
