// SQuAD on real data for a GPU, with the paper's schedule: 85,574 of the 87,599 training questions, the epoch chosen on
// 1,000 questions about the nine articles that are left, the official development set as test set. The arms and seeds
// are those of open-squad.
local small = import 'open-squad.jsonnet';

{
  title: 'SQuAD on real data, 85,574 training questions',
  profile: 'open-squad-full',
  default: false,  // days on two cores
  seeds: small.seeds,
  tasks: small.tasks,
}
