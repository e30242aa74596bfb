// What budgets for two cores have in common.
{
  // training steps multiply in bfloat16; the list replaces the configs', whose one entry announces the profile
  bfloat16_products: { 'trainer.callbacks': ['bfloat16_products'] },
  // the same Adam in one pass over the parameters: quicker, and equal but for the last digits
  fused_adam: { 'trainer.optimizer.type': 'fused_adam' },
}
