// What budgets for two cores have in common.
{
  // training steps multiply in bfloat16; the list replaces the configs', whose one entry announces the profile
  bfloat16_products: { 'trainer.callbacks': ['bfloat16_products'] },
}
